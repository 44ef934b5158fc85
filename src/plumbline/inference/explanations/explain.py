"""Attributions of a restored model's outputs to its inputs, within a time bound."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from plumbline import names
from plumbline.artifacts import DatasetSchema, ModelConfig, read_vocabulary
from plumbline.errors import ArtifactError
from plumbline.inference.explanations.outputs import Block, Subject

EXPLAINED, PROBABILITY, TRUE, TEXT = "explained", "probability", "true", "text"
ATTRIBUTION = "attribution"


class Explanation(NamedTuple):
    """Attributions of one model on one split.

    Attributes
    ----------
    kind : str
        `names.TABULAR`, `names.IMAGES` or `names.TEXT`.
    method, output, baseline : str
        What was explained how, and from where.
    table : DataFrame
        A row per sample: ``sample_id``, ``explained`` (the class or character), ``probability``,
        ``true`` (the class, where it is known), then a column per feature; or ``attribution``, a
        list of numbers: of the pixels row by row, or of the characters of ``text``. In units of
        the output.
    features : tuple of str
        Columns of attributions of a table.
    images : array or None
        uint8 ``(N, C, S, S)``: the explained images.
    gap : float
        Largest absolute completeness gap of a row; NaN for methods that have none.
    spread : float
        Standard deviation over rows of the explained output, to compare the gap with.
    of_rows : int
        Rows of the split, of which the table's were drawn.
    wanted : int
        Rows that were drawn: more than the table has where the time bound was reached.
    """

    kind: str
    method: str
    output: str
    baseline: str
    table: pd.DataFrame
    features: tuple[str, ...]
    images: npt.NDArray[np.uint8] | None
    gap: float
    spread: float
    of_rows: int
    wanted: int

    def importance(self) -> pd.DataFrame:
        """Return ``feature, mean_absolute, mean`` by falling mean absolute attribution."""
        values = self.table[list(self.features)]
        found = pd.DataFrame(
            {
                "feature": values.columns,
                "mean_absolute": values.abs().mean().to_numpy(),
                "mean": values.mean().to_numpy(),
            }
        )
        return found.sort_values("mean_absolute", ascending=False, ignore_index=True)


def explain(
    model_folder: Path,
    data_folder: Path,
    *,
    method: str | None = None,
    nodes: int | None = None,
    of: str | None = None,
    split: str = names.TEST,
    max_rows: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    samples: tuple[list[str], Any] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Explanation:
    """Return what each input contributed to an output of a model.

    Parameters
    ----------
    model_folder, data_folder : Path
        Model and the prepared data it was fitted to.
    method : str, optional
        One of the model's; by default integrated gradients of networks for tables and images,
        occlusion of other models and of texts.
    nodes : int, optional
        Of the quadrature of integrated gradients, >= 1; by default 200 of tables, else 64.
    of : str, optional
        The explained class, or next character. By default the second of two classes, else the
        predicted one of each sample. A regression is explained by its value.
    split : {'test', 'val', 'train'}
    max_rows : int, optional
        Of more rows so many are drawn, without replacement; the baseline is that of all training
        rows.
    seconds : float, optional
        After so many no further block of rows begins; rows are explained in a drawn order then.
    seed : int
        Of the draw.
    samples : pair of a list of str and values, optional
        Names and features ``(N, F)``, pixels ``(N, C, S, S)`` or texts, to explain instead of those
        of the split.
    progress : callable
        Takes the number of rows that are explained so far.

    Raises
    ------
    ArtifactError
        If the model predicts no class, value or character, has no such method or class, or does not
        belong to the data.
    """
    subject = restore_subject(model_folder, data_folder, split=split, of=of, seed=seed)
    if samples is not None:
        subject = subject.with_samples(*samples)
    method = method or subject.methods[0]
    if method not in subject.methods:
        raise ArtifactError(
            f"{model_folder.name}: method must be one of {', '.join(subject.methods)}, got "
            f"{method!r}"
        )
    every = len(subject.ids)
    order = np.random.default_rng(seed).permutation(every)[: max_rows or every]
    order = order if seconds is not None else np.sort(order)
    blocks: list[Block] = []
    done, start = 0, time.monotonic()
    while done < len(order) and (
        not blocks or seconds is None or time.monotonic() - start < seconds
    ):
        rows = order[done : done + subject.block]
        blocks.append(subject.explain(rows, method=method, nodes=nodes))
        done += len(rows)
        progress(done)
    return _joined(subject, method, blocks, order[:done], wanted=len(order))


def restore_subject(
    folder: Path, data: Path, *, split: str = names.TEST, of: str | None = None,
    seed: int = 0,
) -> Subject:  # fmt: skip
    """Return a model and the samples of a split; see `explain`."""
    config = ModelConfig.read(folder)
    if config.kind == names.GENERATOR:
        raise ArtifactError(
            f"{folder.name}: model must predict a class, a value or a character, got the "
            f"generator {config.architecture!r}"
        )
    if config.kind == names.LANGUAGE:
        from plumbline.inference.explanations.texts import Texts

        _check(folder, of, read_vocabulary(data), "character")
        return Texts.restore(folder, config, data, split=split, of=of, seed=seed)
    if config.classes:
        _check(folder, of, DatasetSchema.read(data).classes, "class")
    if "image_size" in config.arguments:
        from plumbline.inference.explanations.images import Pictures

        return Pictures.restore(folder, config, data, split=split, of=of)
    from plumbline.inference.explanations.tables import Rows

    return Rows.restore(folder, config, data, split=split, of=of)


def _check(folder: Path, of: str | None, known: tuple[str, ...], what: str) -> None:
    if of is not None and of not in known:
        raise ArtifactError(f"{folder.name}: {what} must be one of {list(known)}, got {of!r}")


def _joined(
    subject: Subject, method: str, blocks: list[Block], rows: npt.NDArray[np.int64], *, wanted: int
) -> Explanation:
    """Return the rows of all blocks in the order of the split."""
    order = np.argsort(rows)
    ids, at = np.array(subject.ids, dtype=object), rows[order]
    table = pd.DataFrame({"sample_id": ids[at]})
    table[EXPLAINED] = np.array([name for b in blocks for name in b.classes], dtype=object)[order]
    table[PROBABILITY] = np.concatenate([b.probabilities for b in blocks])[order]
    if subject.true:
        table[TRUE] = np.array(subject.true, dtype=object)[at]
    values = [v for block in blocks for v in block.values]
    features = tuple(getattr(subject, "columns", ()))
    if features:
        own = pd.DataFrame(np.stack(values)[order], columns=list(features))
        table = pd.concat([table, own], axis=1)
    else:
        if texts := [text for block in blocks for text in block.texts]:
            table[TEXT] = [texts[place] for place in order]
        table[ATTRIBUTION] = [values[place].ravel().tolist() for place in order]
    pixels = getattr(subject, "images", None)
    images = None if pixels is None else pixels[torch.from_numpy(at)].numpy()
    gap = np.abs(np.concatenate([block.gap for block in blocks]))
    outputs = np.concatenate([block.outputs for block in blocks])
    return Explanation(
        subject.kind, method, subject.output(method), subject.baseline_name, table, features,
        images, gap=float(gap.max()),
        spread=float(outputs.std(ddof=1)) if len(outputs) > 1 else np.nan,
        of_rows=len(subject.ids), wanted=wanted,
    )  # fmt: skip
