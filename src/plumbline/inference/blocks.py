"""Predictions table of a language model: likelihoods of characters, summed over blocks."""

from __future__ import annotations

from collections.abc import Sequence
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
        One row per block, ``sample_id`` is ``<document>#<number of the block>``.

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
        groups = {attribute: document[attribute] for attribute in schema.attributes}
        for number, start in enumerate(range(0, len(nll), block_characters)):
            block = nll[start : start + block_characters]
            rows.append(
                {
                    "sample_id": f"{document['sample_id']}#{number:04d}",
                    "split": document["split"],
                    "document_id": document["sample_id"],
                    "nll": float(block.sum()),
                    "characters": len(block),
                    **groups,
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
