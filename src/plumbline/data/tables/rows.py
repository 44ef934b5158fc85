"""The columns of a declared table held in memory: target, groups, split, entity and weight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.data.base.attributes import check_names
from plumbline.data.base.entities import entity_numbers
from plumbline.data.base.folders import check_spelling
from plumbline.data.base.presence import (
    Absent,
    absent_groups,
    check_classes,
    warn_of_absent_groups,
)
from plumbline.data.base.splits import unit_hashes
from plumbline.data.tables.columns import codes_of, places, read_column
from plumbline.data.tables.declaration import Declaration
from plumbline.data.tables.encoders import OTHER
from plumbline.data.tables.row_splits import by_hash, file_rows, given_split
from plumbline.data.tables.target import target_codes
from plumbline.errors import DataError

if TYPE_CHECKING:
    from plumbline.params.data import TabularData

BATCH = 65_536  # rows
MAX_GROUPS = 100


@dataclass(frozen=True)
class Rows:
    """Target, groups, split, entity and weight of each row.

    ``kept`` marks rows of the file that have a target and are not left out; every other array holds
    the kept rows only, in the order of the file. ``groups`` maps an attribute to codes and the
    groups' names; ``units`` is the hash of each row's entity or features, ``entity`` the number of
    its entity, whose name is not kept. ``split_rule`` says how the split was made.
    """

    kept: npt.NDArray[np.bool_]
    y: npt.NDArray[Any]
    classes: tuple[str, ...]
    groups: Mapping[str, tuple[npt.NDArray[np.int64], tuple[str, ...]]]
    split: npt.NDArray[np.object_]
    units: npt.NDArray[np.uint64]
    entity: npt.NDArray[np.int64] | None
    weight: npt.NDArray[np.float64] | None
    split_rule: str
    absent_groups: Absent
    facts: Mapping[str, Any]

    @property
    def train(self) -> npt.NDArray[np.bool_]:
        """The kept rows of the training split."""
        return np.asarray(self.split == names.TRAIN)


def read_rows(dataset: Any, declaration: Declaration, parameters: TabularData) -> Rows:
    """Return the rows that have a target, with their groups and splits."""
    where = declaration.source
    target = read_column(dataset, declaration.target)
    kept = ~np.asarray(target.is_null().to_numpy(zero_copy_only=False))
    if (missing := int((~kept).sum())) and parameters.encoding.missing_target == "refuse":
        raise DataError(
            f"{where}: target {declaration.target!r} must have a value in every row, got {missing} "
            "missing; correct them or set data_tabular.encoding.missing_target to drop"
        )
    if not kept.any():
        raise DataError(f"{where}: target {declaration.target!r} must have a value, got none")
    units = _unit_hashes(dataset, declaration)[kept]
    wanted = [name for name in (declaration.split, declaration.time, declaration.official) if name]
    columns = {name: read_column(dataset, name) for name in wanted}
    given = given_split(columns, declaration, parameters, kept, units)
    units = units[given.stays]
    kept[kept] = given.stays
    raw, classes, merged = target_codes(target.filter(kept), declaration, parameters.target)
    check_names(declaration.attributes, classes, where=where)
    groups = {
        name: _groups(
            read_column(dataset, name).filter(kept),
            name,
            bounds,
            min_rows=parameters.encoding.min_group_rows,
            where=where,
        )
        for name, bounds in declaration.attributes.items()
    }
    upper = raw if classes else (raw > np.median(raw)).astype(np.int64)
    levels = [np.asarray(upper, dtype=np.int64), *(codes for codes, _ in groups.values())]
    split, rule = by_hash(given, units, levels, declaration, parameters)
    facts = {**({"rows_without_target_left_out": missing} if missing else {}), **given.facts}
    facts |= merged
    if parameters.target == "above_median":
        cut = float(np.median(raw[split == names.TRAIN]))
        raw, classes = (raw > cut).astype(np.int64), ("below_median", "above_median")
        facts["median"] = cut
    entity = entity_numbers(units) if declaration.entity else None
    weight = _weight(dataset, declaration, kept)
    counts = None if weight is None else weight > 0
    absent = absent_groups(split, groups, counts)
    return Rows(kept, raw, classes, groups, split, units, entity, weight, rule, absent, facts)


def _groups(
    column: Any, name: str, bounds: Sequence[float], *, min_rows: int, where: str
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    if bounds:
        codes, values = _bands(column, bounds)
    else:
        codes, values = codes_of(column, absent=names.UNKNOWN)
        check_spelling(values, f"{where}: values of {name!r}")
    sizes = np.bincount(codes, minlength=len(values))
    rare = {
        value
        for value, size in zip(values, sizes, strict=True)
        if 0 < size < min_rows and value != names.UNKNOWN  # which is no group to compare
    }
    # One rare group alone keeps its name: pooling it would only hide which one it is.
    pooled = [OTHER if len(rare) > 1 and value in rare else value for value in values]
    # Bands keep their order; the pooled group comes last.
    present = [v for v, size in zip(pooled, sizes, strict=True) if size]
    found = [v for v in dict.fromkeys(present) if v != OTHER]
    found += [OTHER] if OTHER in present else []
    if len(found) > MAX_GROUPS:
        raise DataError(
            f"{where}: attribute {name!r} must have at most {MAX_GROUPS} groups, got {len(found)}; "
            "give the bounds of its bands, or raise data_tabular.encoding.min_group_rows"
        )
    return places(pooled, found)[codes], tuple(found)


def _bands(column: Any, bounds: Sequence[float]) -> tuple[npt.NDArray[np.int64], list[str]]:
    numbers = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
    low, *_ = bounds
    between = [f"{a:g} to under {b:g}" for a, b in pairwise(bounds)]
    values = [f"under {low:g}", *between, f"{bounds[-1]:g} and over", names.UNKNOWN]
    codes = np.searchsorted(bounds, numbers, side="right")
    codes[np.isnan(numbers)] = len(values) - 1
    return codes.astype(np.int64), values


def _unit_hashes(dataset: Any, declaration: Declaration) -> npt.NDArray[np.uint64]:
    """Return the hash of each row's entity, or of its features where there is no entity."""
    import pandas as pd

    columns = [declaration.entity] if declaration.entity else list(declaration.features)
    found = []
    for batch in dataset.to_batches(columns=columns, batch_size=BATCH):
        if declaration.entity:
            if missing := batch.column(0).null_count:
                raise DataError(
                    f"{declaration.source}: entity {declaration.entity!r} must have a value in "
                    f"every row, got {missing} missing; correct them or declare no entity"
                )
            units = (str(value) for value in batch.column(0).to_pylist())
        else:
            rows = pd.util.hash_pandas_object(batch.to_pandas(), index=False).to_numpy()
            units = (f"{value:016x}" for value in rows)
        found.append(unit_hashes(units, salt=declaration.source))
    return np.concatenate(found)


def _weight(
    dataset: Any, declaration: Declaration, kept: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64] | None:
    if declaration.weight is None:
        return None
    column = read_column(dataset, declaration.weight).to_numpy(zero_copy_only=False)
    weight = np.asarray(column, dtype=np.float64)[kept]
    if not (weight >= 0).all() or not np.isfinite(weight).all():
        raise DataError(
            f"{declaration.source}: weight {declaration.weight!r} must be finite and >= 0 in every "
            "row, got another value"
        )
    return weight


def check_presence(rows: Rows, declaration: Declaration, parameters: TabularData) -> None:
    """Check that every split has a row, and every class one in every split; warn of absent groups.

    Rows of weight 0 do not count.
    """
    where = declaration.source
    counts = None if rows.weight is None else rows.weight > 0
    for split in names.SPLITS:
        if not ((rows.split == split) & (True if counts is None else counts)).any():
            raise DataError(
                f"{where}: split {split} must have a sample, got none; use more data, or "
                "declare an entity if many rows have equal features (such rows share a split)"
            )
    if rows.classes:
        check_classes(
            rows.split,
            rows.y,
            rows.classes,
            where=where,
            describe=lambda own: f"its {len(own)} ({file_rows(rows.kept, own)})",
            advise=lambda own: _class_advice(
                rows.units[own], declaration, parameters, several=len(rows.classes) > 2
            ),
            counts=counts,
        )
    warn_of_absent_groups(rows.absent_groups, where)


def _class_advice(
    units: npt.NDArray[np.uint64],
    declaration: Declaration,
    parameters: TabularData,
    *,
    several: bool,
) -> str:
    """Say what brings one of two or ``several`` classes into a split, from its rows' units."""
    rest = "merge it with another class, or leave its rows out of the file"
    if parameters.source == "csv" and several:
        rest += "; data_tabular.csv.rest makes one class of all but the positive one"
    if declaration.split:
        return f"correct the column {declaration.split!r}, {rest}"
    if declaration.time:
        return f"choose other split fractions, {rest}"
    count = len(np.unique(units))
    if count < len(names.SPLITS):
        kind = f"values of {declaration.entity!r}" if declaration.entity else "different rows"
        return f"add rows until it has {len(names.SPLITS)} {kind}, {rest}"
    enough = math.ceil(50 / count) / 100
    if min(parameters.val_fraction, parameters.test_fraction) < enough and not declaration.official:
        return f"set val_fraction and test_fraction to at least {enough:g}, add rows of it, {rest}"
    return f"add rows of it, {rest}"
