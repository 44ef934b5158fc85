"""Predictions table of a language model: likelihoods of characters, summed over blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.artifacts import DatasetSchema, Predictions
from plumbline.errors import ArtifactError

if TYPE_CHECKING:
    import pandas as pd


def language_predictions(
    model: str,
    documents: pd.DataFrame,
    nll_per_document: Sequence[npt.NDArray[np.float64]],
    *,
    block_characters: int,
    schema: DatasetSchema,
) -> Predictions:
    """Sum the negative log-likelihood over blocks of each document.

    A document is cut every ``block_characters`` characters; its last block may be shorter, so that
    every character counts once.

    Parameters
    ----------
    model : str
        Name of the model.
    documents : DataFrame
        Rows of ``documents.parquet`` in the order of ``nll_per_document``.
    nll_per_document : sequence of arrays, (characters,)
        Nats per character.
    block_characters : int
        Length of a block, at least 1.
    schema : DatasetSchema
        Of the prepared text.

    Returns
    -------
    Predictions
        One row per block, ``sample_id`` is ``<document>#<number of the block>``. Each has the
        containment of its document where the prepared text has it.

    Raises
    ------
    ArtifactError
        If a document's likelihoods are not one finite number per character.
    """
    import pandas as pd

    rows = []
    for document, nll in zip(documents.to_dict("records"), nll_per_document, strict=True):
        if nll.shape != (len(document["text"]),) or not np.isfinite(nll).all():
            raise ArtifactError(
                f"{model}: likelihoods of document {document['sample_id']!r} must be "
                f"{len(document['text'])} finite numbers, got shape {nll.shape} with "
                f"{int((~np.isfinite(nll)).sum())} not finite"
            )
        copied = (names.CONTAINMENT, *schema.attributes)
        passed = {column: document[column] for column in copied if column in document}
        for number, (characters, nats) in enumerate(_blocks(nll, block_characters)):
            rows.append(
                {
                    "sample_id": f"{document['sample_id']}#{number:04d}",
                    "split": document["split"],
                    "document_id": document["sample_id"],
                    "nll": nats,
                    "characters": characters,
                    **passed,
                }
            )
    return Predictions(
        table=pd.DataFrame(rows),
        model=model,
        kind=names.LANGUAGE,
        dataset=schema.dataset,
        source=schema.source,
        classes=(),
        positive=None,
        attributes=schema.attributes,
    )


def with_mixture(
    predictions: Predictions,
    nll_per_document: Sequence[npt.NDArray[np.float64]],
    *,
    block_characters: int,
) -> Predictions:
    """Add the likelihoods of the model mixed with another, in the order of its documents."""
    nats = [sum_ for nll in nll_per_document for _, sum_ in _blocks(nll, block_characters)]
    return replace(predictions, table=predictions.table.assign(**{names.MIXTURE_NLL: nats}))


def _blocks(nll: npt.NDArray[np.float64], block_characters: int) -> list[tuple[int, float]]:
    """Return the characters and nats of each block of a document."""
    blocks = [
        nll[start : start + block_characters] for start in range(0, len(nll), block_characters)
    ]
    return [(len(block), float(block.sum())) for block in blocks]
