"""Which rows a fold fits on, chooses settings on, and is scored on; test rows are in none.

The parts are functions of the samples' ids (`plumbline.data.folds`): no random number, no seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.data.folds import forward_chaining, grouped, k_fold
from plumbline.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Rows = npt.NDArray[np.int64]

# Platt's sigmoid of the support vector machine divides its rows by five itself, class by class.
MIN_FITTED_PER_CLASS = 5


@dataclass(frozen=True)
class Scheme:
    """How rows are divided.

    Attributes
    ----------
    kind : {'k_fold', 'stratified', 'grouped', 'forward_chaining'}
        ``stratified`` keeps the shares of the classes; ``grouped`` keeps rows of one value of
        column ``group`` together; ``forward_chaining`` scores what comes later by column ``order``.
    folds : int
    group, order : str, optional
        Columns of the prepared table.
    """

    kind: str
    folds: int
    group: str | None = None
    order: str | None = None


@dataclass(frozen=True)
class Parts:
    """Positions of rows in the prepared table, each ascending and disjoint from the others.

    Attributes
    ----------
    fitted : array of int
        What models are fitted on.
    chosen_on : array of int
        What the settings of a model are chosen on.
    held_out : array of int
        What the chosen one is scored on.
    """

    fitted: Rows
    chosen_on: Rows
    held_out: Rows


def check_listed(listed: Sequence[str], folds: int) -> None:
    """Check that ``dvc.yaml`` has a stage for every fold, 0…folds-1, and no other.

    Raises
    ------
    DataError
        If the list of the stages and the parameter differ.
    """
    if list(listed) != [str(fold) for fold in range(folds)]:
        raise DataError(
            f"dvc.yaml: folds of stage fold must be 0…{folds - 1} "
            f"(cross_validation.folds is {folds}), got {', '.join(listed) or 'none'}; "
            "change the list or the parameter"
        )


def fold_parts(
    table: pd.DataFrame, scheme: Scheme, fold: int, *, classes: Sequence[str], salt: str
) -> Parts:
    """Return the parts of one fold of the training and validation rows of a prepared table.

    What is not held out is divided once more in the same way: settings are chosen on the first
    part of it (the last in time with ``forward_chaining``), a fold's share, so that a held-out row
    has no say in anything it scores.

    Parameters
    ----------
    table : DataFrame
        Of `plumbline.artifacts.read_split_table`.
    scheme : Scheme
    fold : int
        0…folds-1.
    classes : sequence of str
        Names by code; empty where the target is a number.
    salt : str
        Separates the orders of different data sets.

    Raises
    ------
    DataError
        If the scheme does not fit the table, or a part has too few rows, or too few of a class.
    """
    if scheme.kind == "stratified" and not classes:
        raise DataError(
            "cross_validation: kind must be one without classes, got 'stratified' for a target "
            "that is a number; use k_fold"
        )
    rows = np.flatnonzero((table["split"] != names.TEST).to_numpy())
    outer = _divide(table, rows, scheme, salt=salt)
    if not 0 <= fold < len(outer):
        raise DataError(f"cross_validation: fold must be in 0…{len(outer) - 1}, got {fold}")
    training, held_out = outer[fold]
    within = _smaller(table, training, scheme, fold)
    inner = _divide(table, training, within, salt=f"{salt}/settings")
    fitted, chosen_on = inner[-1 if scheme.kind == "forward_chaining" else 0]
    parts = Parts(fitted, chosen_on, held_out)
    _check_sizes(parts, table["y"].to_numpy(), fold, classes)
    return parts


def _divide(
    table: pd.DataFrame, rows: Rows, scheme: Scheme, *, salt: str
) -> list[tuple[Rows, Rows]]:
    """Return (training rows, held-out rows) of every fold, as positions in the table."""
    ids = table["sample_id"].to_numpy()[rows].tolist()
    if scheme.kind == "forward_chaining":
        times = _column(table, scheme.order, "order")[rows].tolist()
        pairs = forward_chaining(times, folds=scheme.folds)
        return [(rows[before], rows[after]) for before, after in pairs]
    if scheme.kind == "grouped":
        entities = [str(value) for value in _column(table, scheme.group, "group")[rows]]
        of = grouped(ids, entities=entities, folds=scheme.folds, salt=salt)
    else:
        strata = table["y"].to_numpy()[rows].tolist() if scheme.kind == "stratified" else None
        of = k_fold(ids, folds=scheme.folds, salt=salt, strata=strata)
    return [(rows[of != fold], rows[of == fold]) for fold in range(scheme.folds)]


def _smaller(table: pd.DataFrame, rows: Rows, scheme: Scheme, fold: int) -> Scheme:
    """Return the scheme with as many folds as the units of the training part allow."""
    column, last = {
        "grouped": (scheme.group, 0),
        "forward_chaining": (scheme.order, 1),
    }.get(scheme.kind, ("sample_id", 0))
    units = len(set(table[str(column)].to_numpy()[rows].tolist()))
    if units < 2:
        raise DataError(
            f"cross_validation: training part of fold {fold} must have at least 2 values of "
            f"{column}, got {units}; settings are chosen on one of them"
        )
    return Scheme(scheme.kind, min(scheme.folds, units - last), scheme.group, scheme.order)


def _column(table: pd.DataFrame, name: str | None, knob: str) -> npt.NDArray[Any]:
    if name is None or name not in table.columns:
        raise DataError(
            f"cross_validation: {knob} must be a column of the prepared table "
            f"({', '.join(table.columns)}), got {name!r}"
        )
    if missing := int(table[name].isna().sum()):
        raise DataError(
            f"cross_validation: {knob} {name!r} must have a value in every row, got {missing} "
            "rows without"
        )
    return np.asarray(table[name].to_numpy())


def _check_sizes(parts: Parts, y: npt.NDArray[Any], fold: int, classes: Sequence[str]) -> None:
    shown = {"fitted": "fitted", "chosen_on": "choosing", "held_out": "held-out"}
    for field, word in shown.items():
        rows = getattr(parts, field)
        least = MIN_FITTED_PER_CLASS if field == "fitted" else 1
        if not classes and len(rows) < max(least, 2):  # R² of one row is undefined
            raise DataError(
                f"cross_validation: {word} part of fold {fold} must have at least "
                f"{max(least, 2)} rows, got {len(rows)}; ask for fewer folds"
            )
        counts = Counter(y[rows].tolist())
        for code, name in enumerate(classes):
            if counts[code] < least:
                raise DataError(
                    f"cross_validation: {word} part of fold {fold} must have at least {least} "
                    f"row{'s' * (least > 1)} of class {name!r}, got {counts[code]}; ask for fewer "
                    "folds, or stratified ones"
                )
