"""Scores of rows that stand in no file: what a model of a table would say if a feature differed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema, ModelConfig
from plumbline.classical.folders import SCORES
from plumbline.errors import ArtifactError

Floats = npt.NDArray[np.float64]
Rescore = Callable[[Any], Floats]  # a table with the features → (N, K)

_SAME = 1e-6  # how far the scores of a model that was fitted again may be off


def rescorer(model_folder: Path, data_folder: Path, *, seed: int) -> Rescore:
    """Return a function from a table with the features to class probabilities ``(N, K)``.

    A network is restored from its weights when it is first asked. Of a classical model only scores
    are kept (trees and kernels have no weights to restore them from without unpickling): it is
    fitted again at its recorded settings, and must give the recorded scores.

    Parameters
    ----------
    model_folder, data_folder : Path
        Of ``fnn`` or ``baseline``, and the prepared table that it was fitted to.
    seed : int
        That the model was fitted with.

    Raises
    ------
    ArtifactError
        By the function: if model and data do not belong together.
    """
    config = ModelConfig.read(model_folder)
    if config.architecture == "classical":
        return _Refitted(model_folder, data_folder, config, seed)

    def network_scores(table: Any) -> Floats:
        from plumbline.inference.classify import table_scores

        return table_scores(model_folder, table)

    return network_scores


class _Refitted:
    """The chosen classical model, fitted when it is first asked."""

    def __init__(self, model: Path, data: Path, config: ModelConfig, seed: int) -> None:
        self._model, self._data, self._config, self._seed = model, data, config, seed
        self._fitted: Any = None

    def __call__(self, table: Any) -> Floats:
        columns = list(self._config.arguments["features"])
        if self._fitted is None:
            self._fitted = self._fit(columns)
        found: Floats = self._fitted.scores(table[columns].to_numpy(dtype=np.float64))
        return found

    def _fit(self, columns: list[str]) -> Any:
        from plumbline.classical.tabular import refit

        schema, table = DatasetSchema.read(self._data), artifacts.read_split_table(self._data)
        chosen = self._config.arguments["chosen"]
        train = table[table["split"] == names.TRAIN]
        weights = train[names.WEIGHT].to_numpy(np.float64) if names.WEIGHT in train else None
        fitted = refit(
            chosen,
            self._config.arguments["models"][chosen],
            train=(train[columns].to_numpy(np.float64), train["y"].to_numpy()),
            regression=schema.task == "regression",
            seed=self._seed,
            weights=weights,
        )
        kept, _ = artifacts.read_table(self._model / SCORES)
        rows = table.set_index("sample_id").loc[kept["sample_id"], columns]
        recorded = kept[[f"{chosen}/{name}" for name in self._config.classes]].to_numpy(np.float64)
        off = float(np.abs(fitted.scores(rows.to_numpy(np.float64)) - recorded).max())
        if off > _SAME:
            raise ArtifactError(
                f"{self._model.name}: {chosen} fitted again must give the scores of {SCORES}, got "
                f"some that are {off:.2g} off; run stage baseline again"
            )
        return fitted
