"""One fold: the classical models fitted, chosen and scored on rows that had no part in either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema
from plumbline.classical.rows import training_weights
from plumbline.classical.tabular import SvmSize, fit_models, quantity, validation_value
from plumbline.metrics.scores import imbalance
from plumbline.studies.cross_validation.parts import Scheme, fold_parts

if TYPE_CHECKING:
    import pandas as pd


def fold_scores(
    data: Path,
    scheme: Scheme,
    fold: int,
    *,
    models: Sequence[str],
    svm: SvmSize,
    seed: int,
    max_rows: int | None = None,
    class_weights: str | Mapping[str, float] = imbalance.NONE,
) -> dict[str, Any]:
    """Fit each model as stage ``baseline`` does and score it on the held-out rows of a fold.

    Parameters
    ----------
    data : Path
        A prepared table.
    scheme : Scheme
    fold : int
    models : sequence of str
        Keys of `plumbline.classical.tabular.GRIDS`.
    svm : SvmSize
    seed : int
        Of the models that draw random numbers; the folds know none.
    max_rows : int, optional
        See `plumbline.classical.tabular.fit_models`.
    class_weights : str or mapping, optional
        See `plumbline.metrics.scores.imbalance.class_weights`.

    Returns
    -------
    dict
        ``fold``; of tables with them ``entities``, how many there are in all folds, and
        ``weighted``; ``quantity`` (AUROC, macro-averaged one-versus-rest for several classes, or
        R²); ``rows`` of each part; of each model in ``models`` its ``settings``, the ``value`` on
        the held-out rows and the ``chosen_at`` that it had where its settings were chosen, and
        ``drawn``, the number of fitted rows, where they are a part.

    Raises
    ------
    DataError
        If the folds do not fit the table.
    """
    schema, table = DatasetSchema.read(data), artifacts.read_split_table(data)
    regression = schema.task == "regression"
    parts = fold_parts(
        table, scheme, fold, classes=schema.classes, salt=schema.source, features=schema.features
    )
    weights = table[names.WEIGHT].to_numpy(np.float64) if names.WEIGHT in table else None
    x = table[list(schema.features)].to_numpy(dtype=np.float64)
    y = table["y"].to_numpy()
    own, _ = training_weights(
        class_weights,
        y[parts.fitted],
        classes=schema.classes,
        weights=None if weights is None else weights[parts.fitted],
    )
    fitted = fit_models(
        models,
        train=(x[parts.fitted], y[parts.fitted]),
        val=(x[parts.chosen_on], y[parts.chosen_on]),
        regression=regression,
        seed=seed,
        svm=svm,
        max_rows=max_rows,
        weights=(own, None if weights is None else weights[parts.chosen_on]),
    )
    features, target = x[parts.held_out], y[parts.held_out]
    weight = None if weights is None else weights[parts.held_out]
    return {
        "fold": fold,
        **_design(table),
        "quantity": quantity(regression=regression),
        "rows": parts.sizes(),
        "models": {
            model.name: {
                "value": validation_value(
                    model.scores(features), target, regression=regression, weights=weight
                ),
                "chosen_at": model.value,
                "settings": model.settings,
                **({"drawn": model.rows} if model.rows < len(parts.fitted) else {}),
            }
            for model in fitted
        },
    }


def _design(table: pd.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if names.ENTITY in table:
        found["entities"] = int(table.loc[table["split"] != names.TEST, names.ENTITY].nunique())
    if names.WEIGHT in table:
        found["weighted"] = True
    return found
