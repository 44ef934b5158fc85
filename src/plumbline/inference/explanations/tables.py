"""Attributions of models of a table to features: integrated gradients, or occlusion by the mean.

``N`` rows, ``F`` features, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema, ModelConfig
from plumbline.classical import folders
from plumbline.errors import ArtifactError
from plumbline.inference.classify import network_scores
from plumbline.inference.explanations.integrated_gradients import integrated_gradients
from plumbline.inference.explanations.outputs import (
    INTEGRATED_GRADIENTS,
    OCCLUSION,
    Block,
    explained_codes,
    log_odds,
)
from plumbline.inference.restore import restore
from plumbline.inference.tables import table_features

Floats = npt.NDArray[np.float64]
Scores = Callable[[npt.NDArray[Any]], Floats]


@dataclass(frozen=True)
class Rows:
    """A model of a table, and the rows of one split.

    Attributes
    ----------
    scores : callable
        Features ``(N, F)`` → class probabilities ``(N, K)``, or values ``(N, 1)``.
    network : Module or None
        The same model as a network in double precision, whose gradients can be had.
    ids : list of str, (N,)
    true : list of str
        See `Subject`.
    features : array, (N, F)
        In the type of the model's input.
    columns : list of str, (F,)
    baseline : array, (F,)
        The mean training row.
    classes : tuple of str
        Empty for a regression.
    of : str, optional
        The explained class; by default the predicted one of each row.
    """

    scores: Scores
    network: nn.Module | None
    ids: list[str]
    true: list[str]
    features: npt.NDArray[Any]
    columns: list[str]
    baseline: Floats
    classes: tuple[str, ...]
    of: str | None

    kind = names.TABULAR
    block = 256
    baseline_name = "the mean training row"

    @property
    def methods(self) -> tuple[str, ...]:
        """Integrated gradients first, if the model has gradients."""
        return (OCCLUSION,) if self.network is None else (INTEGRATED_GRADIENTS, OCCLUSION)

    @classmethod
    def restore(
        cls, folder: Path, config: ModelConfig, data: Path, *, split: str, of: str | None
    ) -> Self:
        """Restore the model and read the rows; of two classes the second is explained.

        Raises
        ------
        ArtifactError
            If model and data do not belong together.
        """
        schema, table = DatasetSchema.read(data), artifacts.read_split_table(data)
        columns = [entry["name"] for entry in config.inputs]
        if tuple(columns) != schema.features or tuple(config.classes) != schema.classes:
            raise ArtifactError(
                f"{folder.name}: features and classes must be those of {data.name}, "
                "got others; fit the model to this data"
            )
        network, scores = _restored(folder, config)
        features = table_features(config, table)
        chosen, training = (np.flatnonzero(table["split"] == name) for name in (split, names.TRAIN))
        codes = table["y"].iloc[chosen] if config.classes else ()
        true = [config.classes[code] for code in codes]
        return cls(
            scores, network, table["sample_id"].iloc[chosen].tolist(), true, features[chosen],
            columns, features[training].astype(np.float64).mean(axis=0), config.classes,
            of or schema.positive,
        )  # fmt: skip

    def with_samples(self, ids: list[str], values: Any) -> Self:
        """Return the same model with other rows ``(N, F)``."""
        return replace(self, ids=ids, true=[], features=values)

    def output(self, method: str) -> str:
        """Name the explained output: log-odds of a network's gradients, else the probability."""
        if not self.classes:
            return "value"
        what = "log-odds" if method == INTEGRATED_GRADIENTS else "probability"
        return f"{what} of {self.of or 'the predicted class'}"

    def explain(self, rows: Any, *, method: str, nodes: int | None) -> Block:
        """Return the attributions of these rows, ``(F,)`` each."""
        features = self.features[rows]
        scores = self.scores(features)
        codes = explained_codes(torch.from_numpy(scores), self.classes, self.of)
        at = codes.numpy() if self.classes else np.zeros(len(scores), dtype=np.int64)
        own = scores[np.arange(len(scores)), at]
        gap, outputs = np.full(len(own), np.nan), own
        if method == OCCLUSION:
            values = occlude(self.scores, features, self.baseline, at)
        else:
            values, gap, outputs = self._integrate(features, torch.from_numpy(at), nodes or 200)
        shown = [self.classes[code] for code in at] if self.classes else [""] * len(own)
        probabilities = own if self.classes else np.full(len(own), np.nan)
        return Block(list(values), gap, shown, probabilities, outputs)

    def _integrate(
        self, features: npt.NDArray[Any], codes: Tensor, nodes: int
    ) -> tuple[Floats, Floats, Floats]:
        network = self.network
        assert network is not None  # methods has it only then
        inputs = torch.from_numpy(features.astype(np.float64))

        def output(rows: Tensor) -> Tensor:
            found = network(rows)
            if not self.classes:
                return found[:, 0]  # type: ignore[no-any-return]
            return log_odds(found.expand(len(codes), -1), codes)

        found = integrated_gradients(output, inputs, torch.from_numpy(self.baseline), nodes=nodes)
        with torch.no_grad():
            outputs = output(inputs)
        return found.values.numpy(), found.gap.numpy(), outputs.numpy()


def occlude(scores: Scores, features: npt.NDArray[Any], baseline: Floats, at: Any) -> Floats:
    """Return by how much an output falls when one feature takes the value of a baseline.

    Parameters
    ----------
    scores : callable
        ``(N, F)`` → ``(N, K)``.
    features : array, (N, F)
    baseline : array, (F,)
    at : array of int, (N,)
        The explained output of each row.

    Returns
    -------
    array, (N, F)
        In units of the output. What features do together only is in none of them, or in several.
    """
    place = np.arange(len(features))
    before = scores(features)[place, at]
    found = np.empty(features.shape)
    for number, value in enumerate(baseline):
        changed = features.copy()
        changed[:, number] = value
        found[:, number] = before - scores(changed)[place, at]
    return found


def _restored(folder: Path, config: ModelConfig) -> tuple[nn.Module | None, Scores]:
    if config.architecture == folders.ARCHITECTURE:
        return None, folders.restore_model(folder)[0].scores
    network, _ = restore(folder)
    precise, _ = restore(folder)  # attributions are differences of close numbers
    return precise.double().requires_grad_(False), lambda rows: network_scores(
        network, config, rows
    )
