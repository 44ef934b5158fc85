"""Features and predictions of models whose samples are rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema, ModelConfig, Predictions, decide
from plumbline.errors import ArtifactError


def check_classes(config: ModelConfig, schema: DatasetSchema, where: str) -> None:
    """Check that a model and prepared data have the same classes.

    Raises
    ------
    ArtifactError
        If they have not.
    """
    if tuple(schema.classes) != tuple(config.classes):
        raise ArtifactError(
            f"{where}: classes must be those of {schema.dataset} {list(schema.classes)}, got "
            f"{list(config.classes)}; fit the model to this data"
        )


def table_features(config: ModelConfig, table: pd.DataFrame) -> npt.NDArray[Any]:
    """Return the columns ``(N, F)`` that a model reads, in its type.

    Raises
    ------
    ArtifactError
        If the table lacks one.
    """
    columns = [entry["name"] for entry in config.inputs]
    if missing := [column for column in columns if column not in table]:
        raise ArtifactError(
            f"{config.model}: features must be in the table, got none of {missing}; "
            "fit the model to this data"
        )
    # In rows: products of columns round in another order.
    return np.array(table[columns], dtype=config.inputs[0]["dtype"], order="C")


def supervised_predictions(
    rows: pd.DataFrame,
    values: npt.NDArray[np.float64],
    *,
    config: ModelConfig,
    schema: DatasetSchema,
    model: str | None = None,
) -> Predictions:
    """Return the predictions table of a classifier or regressor.

    Parameters
    ----------
    rows : DataFrame
        Of the prepared table, indexed from 0.
    values : array, (N, K) or (N, 1)
        Class probabilities, or the predicted numbers of a regression.
    config, schema
    model : str, optional
        One of several classical models, whose threshold decides; by default the chosen one.
    """
    decision = config.decision(model)
    found: dict[str, Any] = {"sample_id": rows["sample_id"], "split": rows["split"]}
    found["y_true"] = rows["y"]
    if config.kind == names.REGRESSION:
        found["y_pred"] = values[:, 0]
    else:
        found["y_pred"] = decide(values, decision)
        found |= {f"score_{name}": values[:, k] for k, name in enumerate(config.classes)}
    found |= artifacts.passthrough_columns(rows, schema.attributes)
    return Predictions(
        table=pd.DataFrame(found),
        model=config.model,
        kind=config.kind,
        dataset=schema.dataset,
        source=schema.source,
        classes=tuple(config.classes),
        positive=schema.positive,
        attributes=tuple(schema.attributes),
        decision=decision,
    )
