"""The test rows that several models predicted, in one order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.errors import MetricError

_CURE = "evaluate both models on the same data"
_COMPARABLE = (names.CLASSIFICATION, names.REGRESSION, names.LANGUAGE)
_SAME = {
    names.CLASSIFICATION: ("y_true",),
    names.REGRESSION: ("y_true",),
    names.LANGUAGE: ("document_id", "characters"),
}


def matched(tables: Sequence[Predictions]) -> list[Predictions]:
    """Return the test rows of each table, in the order of the first one.

    Raises
    ------
    MetricError
        If a table has no test row, or its kind, data, classes, samples, targets, entities or
        weights are not those of the first.
    """
    found: list[Predictions] = []
    for predictions in tables:
        if predictions.kind not in _COMPARABLE:
            raise MetricError(
                f"compare: kind of {predictions.model} must be one of {', '.join(_COMPARABLE)}, "
                f"got {predictions.kind!r}; generators have no rows in common"
            )
        table = predictions.table
        test = table[table["split"] == names.TEST].set_index("sample_id", drop=False)
        if test.empty:
            raise MetricError(
                f"compare: {predictions.model} must have test rows, got none; {_CURE}"
            )
        if found:
            _check_header(found[0], predictions)
            test = _in_order(found[0], predictions.model, test)
        found.append(replace(predictions, table=test.reset_index(drop=True)))
    return found


def _check_header(first: Predictions, other: Predictions) -> None:
    for key in ("kind", "dataset", "source", "classes", "positive"):
        wanted, got = getattr(first, key), getattr(other, key)
        if wanted != got:
            raise MetricError(
                f"compare: {key} of {other.model} must be {wanted!r} as of {first.model}, got "
                f"{got!r}; {_CURE}"
            )


def _in_order(first: Predictions, model: str, rows: pd.DataFrame) -> pd.DataFrame:
    ids = first.table["sample_id"]
    if apart := sorted(set(ids) ^ set(rows["sample_id"])):
        raise MetricError(
            f"compare: test rows of {model} must be the {len(ids)} of {first.model}, got "
            f"{len(rows)}, and {len(apart)} that only one of them has ({apart[0]}); {_CURE}"
        )
    rows = rows.loc[ids]
    for column in (*_SAME[first.kind], names.ENTITY, names.WEIGHT, names.CONTAINMENT):
        has = column in first.table, column in rows
        if has != (False, False) and not (
            all(has) and np.array_equal(first.table[column].to_numpy(), rows[column].to_numpy())
        ):
            raise MetricError(
                f"compare: {column} of {model} must be that of {first.model} in every test row, "
                f"got another; {_CURE}"
            )
    return rows
