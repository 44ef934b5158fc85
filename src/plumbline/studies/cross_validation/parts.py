"""Which rows a fold fits on, chooses settings on, and is scored on; test rows are in none.

The parts are functions of the samples' ids (`plumbline.data.base.folds`): no random number, no
seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.data.base.folds import forward_chaining, k_fold
from plumbline.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Rows = npt.NDArray[np.int64]
Units = npt.NDArray[np.object_]

# Platt's sigmoid of the support vector machine divides its rows by five itself, class by class.
MIN_FITTED_PER_CLASS = 5


@dataclass(frozen=True)
class Scheme:
    """How rows are divided.

    An entity of the table is never divided: ``k_fold`` and ``stratified`` deal out entities,
    ``grouped`` refuses groups that divide one, and ``forward_chaining`` leaves out rows that come
    before what the same entity is chosen on or scored by. Rows of a table without entities whose
    features are equal count as one entity of ``k_fold`` and ``stratified``, as in the splits.

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
    left_out : array of int
        Earlier rows of entities that are chosen on or held out; of ``forward_chaining`` only.
    """

    fitted: Rows
    chosen_on: Rows
    held_out: Rows
    left_out: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def sizes(self) -> dict[str, int]:
        """Return the rows of each part by its name; ``left_out`` only where there are any."""
        found = {name: len(rows) for name, rows in vars(self).items()}
        return {name: size for name, size in found.items() if size or name != "left_out"}


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
    table: pd.DataFrame,
    scheme: Scheme,
    fold: int,
    *,
    classes: Sequence[str],
    salt: str,
    features: Sequence[str] = (),
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
    features : sequence of str
        Columns by which rows of a table without entities are told apart.

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
    units = _units(table, rows, features)
    if scheme.kind == "grouped":
        _check_groups_keep_entities(table, rows, scheme)
    outer = _divide(table, units, rows, scheme, salt=salt)
    if not 0 <= fold < len(outer):
        raise DataError(f"cross_validation: fold must be in 0…{len(outer) - 1}, got {fold}")
    training, held_out = outer[fold]
    within = _smaller(table, units, training, scheme, fold)
    inner = _divide(table, units, training, within, salt=f"{salt}/settings")
    fitted, chosen_on = inner[-1 if scheme.kind == "forward_chaining" else 0]
    parts = Parts(fitted, chosen_on, held_out)
    if scheme.kind == "forward_chaining" and names.ENTITY in table:
        parts = _without_known_entities(table[names.ENTITY].to_numpy(), parts)
    _check_sizes(parts, table["y"].to_numpy(), fold, classes)
    return parts


def _divide(
    table: pd.DataFrame, units: Units, rows: Rows, scheme: Scheme, *, salt: str
) -> list[tuple[Rows, Rows]]:
    """Return (training rows, held-out rows) of every fold, as positions in the table."""
    if scheme.kind == "forward_chaining":
        times = _column(table, scheme.order, "order")[rows].tolist()
        pairs = forward_chaining(times, folds=scheme.folds)
        return [(rows[before], rows[after]) for before, after in pairs]
    if scheme.kind == "grouped":
        dealt = [str(value) for value in _column(table, scheme.group, "group")[rows]]
    else:
        dealt = units[rows].tolist()
    strata = table["y"].to_numpy()[rows].tolist() if scheme.kind == "stratified" else None
    of = k_fold(dealt, folds=scheme.folds, salt=salt, strata=strata)
    return [(rows[of != fold], rows[of == fold]) for fold in range(scheme.folds)]


def _smaller(table: pd.DataFrame, units: Units, rows: Rows, scheme: Scheme, fold: int) -> Scheme:
    """Return the scheme with as many folds as the units of the training part allow."""
    unit = names.ENTITY if names.ENTITY in table else "sample_id"
    column, last = {
        "grouped": (scheme.group, 0),
        "forward_chaining": (scheme.order, 1),
    }.get(scheme.kind, (unit, 0))
    values = units if column == unit else table[str(column)].to_numpy()
    count = len(set(values[rows].tolist()))
    if count < 2:
        raise DataError(
            f"cross_validation: training part of fold {fold} must have at least 2 values of "
            f"{column}, got {count}; settings are chosen on one of them"
        )
    return Scheme(scheme.kind, min(scheme.folds, count - last), scheme.group, scheme.order)


def _units(table: pd.DataFrame, rows: Rows, features: Sequence[str]) -> Units:
    """Return what each row belongs to: its entity, else the first id among rows equal to it."""
    import pandas as pd

    ids = table["sample_id"].astype(object)
    if names.ENTITY in table:
        return table[names.ENTITY].to_numpy(dtype=object)
    if not features:
        return ids.to_numpy()
    content = pd.util.hash_pandas_object(table[list(features)].iloc[rows], index=False).to_numpy()
    found = ids.to_numpy(copy=True)
    found[rows] = ids.iloc[rows].groupby(content).transform("min").to_numpy()
    return found


def _check_groups_keep_entities(table: pd.DataFrame, rows: Rows, scheme: Scheme) -> None:
    if names.ENTITY not in table:
        return
    group = _column(table, scheme.group, "group")
    pairs = set(zip(table[names.ENTITY].to_numpy()[rows], group[rows].tolist(), strict=True))
    counts = Counter(entity for entity, _ in pairs)
    if divided := sum(count > 1 for count in counts.values()):
        raise DataError(
            f"cross_validation: group {scheme.group!r} must not divide an entity, got {divided} of "
            f"{len(counts)} entities with rows in several groups; group by {names.ENTITY}"
        )


def _without_known_entities(entity: Units, parts: Parts) -> Parts:
    """Return the parts with no entity in two of them: its earlier rows are left out."""
    chosen_on = parts.chosen_on[~np.isin(entity[parts.chosen_on], entity[parts.held_out])]
    later = np.concatenate([parts.chosen_on, parts.held_out])
    fitted = parts.fitted[~np.isin(entity[parts.fitted], entity[later])]
    kept = np.concatenate([fitted, chosen_on])
    before = np.concatenate([parts.fitted, parts.chosen_on])
    return Parts(fitted, chosen_on, parts.held_out, np.sort(before[~np.isin(before, kept)]))


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
    for name, word in shown.items():
        rows = getattr(parts, name)
        least = MIN_FITTED_PER_CLASS if name == "fitted" else 1
        if not classes and len(rows) < max(least, 2):  # R² of one row is undefined
            raise DataError(
                f"cross_validation: {word} part of fold {fold} must have at least "
                f"{max(least, 2)} rows, got {len(rows)}; ask for fewer folds"
            )
        counts = Counter(y[rows].tolist())
        for code, label in enumerate(classes):
            if counts[code] < least:
                raise DataError(
                    f"cross_validation: {word} part of fold {fold} must have at least {least} "
                    f"row{'s' * (least > 1)} of class {label!r}, got {counts[code]}; ask for fewer "
                    "folds, or stratified ones"
                )
