"""Attributions of a restored feed-forward network on held-out rows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema
from plumbline.errors import ArtifactError
from plumbline.inference.explanations.integrated_gradients import integrated_gradients
from plumbline.inference.restore import restore
from plumbline.models.fnn import FeedForward

log = logging.getLogger(__name__)
_QUIET_SECONDS = 5.0  # between two lines of progress


class Explanation(NamedTuple):
    """Attributions of one model on one split.

    Attributes
    ----------
    output : str
        Name of the explained output.
    table : DataFrame
        One row per sample: ``sample_id`` and one column per feature, in units of the output.
    gap : float
        Largest absolute completeness gap of a row.
    spread : float
        Standard deviation over rows of the explained output, to compare the gap with.
    of_rows : int
        Rows of the split, of which the table's were drawn.
    """

    output: str
    table: pd.DataFrame
    gap: float
    spread: float
    of_rows: int

    def importance(self) -> pd.DataFrame:
        """Return ``feature, mean_absolute, mean`` by falling mean absolute attribution."""
        values = self.table.drop(columns="sample_id")
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
    nodes: int,
    of: str | None = None,
    split: str = names.TEST,
    max_rows: int | None = None,
    seed: int = 0,
) -> Explanation:
    """Return the integrated gradients of a feed-forward network; the baseline is the mean row.

    The cost grows with rows times nodes; progress is logged.

    Parameters
    ----------
    model_folder, data_folder : Path
        Network and the prepared table it was fitted to.
    nodes : int
        Of the quadrature, >= 1.
    of : str, optional
        The class whose log-odds are explained; the second of two if not given. A regression is
        explained by its value.
    split : {'test', 'val', 'train'}
    max_rows : int, optional
        Of more rows so many are drawn, without replacement; the baseline is that of all training
        rows.
    seed : int
        Of the draw.

    Raises
    ------
    ArtifactError
        If the folder holds another kind of network, model and data do not belong together, or there
        is no such class.
    """
    network, config = restore(model_folder)
    if not isinstance(network, FeedForward):
        raise ArtifactError(
            f"{model_folder.name}: architecture must be fnn, got {config.architecture!r}"
        )
    schema = DatasetSchema.read(data_folder)
    columns = [entry["name"] for entry in config.inputs]
    if tuple(columns) != schema.features or tuple(config.classes) != schema.classes:
        raise ArtifactError(
            f"{model_folder.name}: features and classes must be those of {data_folder.name}, "
            "got others; fit the model to this data"
        )
    if schema.classes and (of or schema.positive) not in schema.classes:
        raise ArtifactError(
            f"{model_folder.name}: class must be one of {list(schema.classes)}, got {of!r}"
        )
    output = (
        _log_odds(schema.classes.index(of or str(schema.positive))) if schema.classes else _value
    )
    table = artifacts.read_split_table(data_folder)
    features = torch.tensor(table[columns].to_numpy(dtype="float64"))
    chosen, training = (np.flatnonzero(table["split"] == name) for name in (split, names.TRAIN))
    network.double().requires_grad_(False)  # attributions are differences of close numbers
    every = len(chosen)
    if max_rows is not None and every > max_rows:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, max_rows, replace=False))
    inputs = features[chosen]
    found = integrated_gradients(
        lambda rows: output(network(rows)),
        inputs,
        features[training].mean(dim=0),
        nodes=nodes,
        progress=_Progress(len(inputs)),
    )
    explained = pd.DataFrame(found.values.numpy(), columns=columns)
    explained.insert(0, "sample_id", table["sample_id"].to_numpy()[chosen])
    return Explanation(
        f"log-odds of {of or schema.positive}" if schema.classes else "value",
        explained,
        gap=float(found.gap.abs().max()),
        spread=float(output(network(inputs)).std()),
        of_rows=every,
    )


class _Progress:
    """Says from time to time how many rows are done."""

    def __init__(self, rows: int) -> None:
        self._rows, self._done, self._start = rows, 0, time.monotonic()
        self._last = self._start

    def __call__(self, rows: int) -> None:
        self._done += rows
        now = time.monotonic()
        if now - self._last >= _QUIET_SECONDS:
            log.info("explain: %d of %d rows, %.0f s", self._done, self._rows, now - self._start)
            self._last = now


def _value(outputs: Tensor) -> Tensor:
    return outputs[:, 0]


def _log_odds(code: int) -> Callable[[Tensor], Tensor]:
    def output(logits: Tensor) -> Tensor:
        others = torch.cat([logits[:, :code], logits[:, code + 1 :]], dim=1)
        return logits[:, code] - others.logsumexp(dim=1)

    return output
