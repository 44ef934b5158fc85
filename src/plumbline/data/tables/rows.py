"""The columns of a declared table held in memory: target, groups, split, entity and weight."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.data.base.attributes import check_names
from plumbline.data.base.entities import entity_numbers
from plumbline.data.base.splits import assign_hashed, pooled_strata, unit_hashes
from plumbline.data.tables.csv_files import NUMBER
from plumbline.data.tables.declaration import Declaration
from plumbline.data.tables.encoders import OTHER
from plumbline.errors import DataError

if TYPE_CHECKING:
    from plumbline.params.data import TabularData

BATCH = 65_536  # rows
MAX_CLASSES = 1_000
MAX_GROUPS = 100


@dataclass(frozen=True)
class Rows:
    """Target, groups, split, entity and weight of each row.

    ``kept`` marks rows of the file that have a target; every other array holds the kept rows only,
    in the order of the file. ``groups`` maps an attribute to codes and the groups' names;
    ``entity`` is the number of each row's entity; its name is not kept.
    """

    kept: npt.NDArray[np.bool_]
    y: npt.NDArray[Any]
    classes: tuple[str, ...]
    groups: Mapping[str, tuple[npt.NDArray[np.int64], tuple[str, ...]]]
    split: npt.NDArray[np.object_]
    entity: npt.NDArray[np.int64] | None
    weight: npt.NDArray[np.float64] | None
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
    raw, classes = _target(target.filter(kept), declaration, parameters.target)
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
    units = _unit_hashes(dataset, declaration)[kept]
    split = _splits(dataset, declaration, parameters, kept, units, levels)
    facts: dict[str, Any] = {"rows_without_target_left_out": missing} if missing else {}
    if parameters.target == "above_median":
        cut = float(np.median(raw[split == names.TRAIN]))
        raw, classes = (raw > cut).astype(np.int64), ("below_median", "above_median")
        facts["median"] = cut
    entity = entity_numbers(units) if declaration.entity else None
    weight = _weight(dataset, declaration, kept)
    return Rows(kept, raw, classes, groups, split, entity, weight, facts)


def _target(
    column: Any, declaration: Declaration, wanted: str
) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    where, name = declaration.source, declaration.target
    if wanted != "label":
        if declaration.kinds[name] != NUMBER:
            raise DataError(
                f"{where}: target {name!r} must be a number for data_tabular.target {wanted!r}, "
                f"got {declaration.kinds[name]}; set data_tabular.target to label"
            )
        numbers = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
        if not np.isfinite(numbers).all():
            raise DataError(f"{where}: target {name!r} must be finite in every row, got infinity")
        return numbers, ()
    codes, values = _codes(column)
    if len(values) < 2 or len(values) > MAX_CLASSES:
        raise DataError(
            f"{where}: target {name!r} must have 2 to {MAX_CLASSES} classes, got {len(values)}; "
            "a number is predicted with data_tabular.target: value"
        )
    if declaration.labels and (unknown := sorted(set(values) - set(declaration.labels))):
        raise DataError(
            f"{where}: target {name!r} must be one of {sorted(declaration.labels)}, got {unknown}"
        )
    classes = [declaration.labels.get(value, value) for value in values]
    order = sorted(classes)
    if declaration.positive is not None:
        if declaration.positive not in classes or len(classes) != 2:
            raise DataError(
                f"{where}: positive must be one of two classes, got {declaration.positive!r} of "
                f"{order}"
            )
        order.sort(key=lambda c: c == declaration.positive)
    return _places(classes, order)[codes], tuple(order)


def _groups(
    column: Any, name: str, bounds: Sequence[float], *, min_rows: int, where: str
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    if bounds:
        codes, values = _bands(column, bounds)
    else:
        codes, values = _codes(column, absent=names.UNKNOWN)
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
    return _places(pooled, found)[codes], tuple(found)


def _bands(column: Any, bounds: Sequence[float]) -> tuple[npt.NDArray[np.int64], list[str]]:
    numbers = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
    low, *_ = bounds
    between = [f"{a:g} to under {b:g}" for a, b in pairwise(bounds)]
    values = [f"under {low:g}", *between, f"{bounds[-1]:g} and over", names.UNKNOWN]
    codes = np.searchsorted(bounds, numbers, side="right")
    codes[np.isnan(numbers)] = len(values) - 1
    return codes.astype(np.int64), values


def _splits(
    dataset: Any,
    declaration: Declaration,
    parameters: TabularData,
    kept: npt.NDArray[np.bool_],
    hashes: npt.NDArray[np.uint64],
    levels: Sequence[npt.NDArray[np.int64]],
) -> npt.NDArray[np.object_]:
    official = np.zeros(len(hashes), dtype=bool)
    if declaration.official:
        column = read_column(dataset, declaration.official).to_numpy(zero_copy_only=False)
        official = (column == names.TEST)[kept]
    test_fraction = 0.0 if declaration.official else parameters.test_fraction
    smallest = min(f for f in (parameters.val_fraction, test_fraction) if f > 0)
    own = ~official
    strata = pooled_strata([level[own] for level in levels], min_rows=math.ceil(0.5 / smallest))
    split = np.full(len(hashes), names.TEST, dtype=object)
    split[own] = assign_hashed(
        hashes[own],
        strata=strata,
        val_fraction=parameters.val_fraction,
        test_fraction=test_fraction,
    )
    return split


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


def check_presence(rows: Rows, where: str) -> None:
    """Check that every class and group has a row, of a weight above 0, in every split.

    Rows without a value of an attribute are no group that would be compared.
    """
    wanted = [(rows.y, rows.classes, "class", "")] if rows.classes else []
    wanted += [
        (codes, groups, "group", f" of {name}") for name, (codes, groups) in rows.groups.items()
    ]
    counts = np.ones(len(rows.split), dtype=bool) if rows.weight is None else rows.weight > 0
    for split in names.SPLITS:
        here = (rows.split == split) & counts
        if not here.any():
            raise DataError(
                f"{where}: split {split} must have a sample, got none; use more data, or "
                "declare an entity if many rows have equal features (such rows share a split)"
            )
        for codes, found, kind, place in wanted:
            sizes = np.bincount(codes[here], minlength=len(found))
            for name, size in zip(found, sizes, strict=True):
                if size == 0 and (kind, name) != ("group", names.UNKNOWN):
                    raise DataError(
                        f"{where}: {kind} {name!r}{place} must have a sample in every split, got "
                        f"none in {split}; use more data, other split fractions or a larger "
                        "data_tabular.encoding.min_group_rows"
                    )


def read_column(dataset: Any, name: str) -> Any:
    """Return one whole column as an Arrow array."""
    return dataset.to_table(columns=[name]).column(0).combine_chunks()


def _codes(column: Any, absent: str | None = None) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return codes of the sorted distinct values, as text, and those values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.cast(column, pa.string())
    coded = (pc.fill_null(text, absent) if absent else text).dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    values = coded.dictionary.to_pylist()
    order = sorted(values)
    return _places(values, order)[coded.indices.to_numpy(zero_copy_only=False)], order


def _places(values: Iterable[str], order: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the place of each value in ``order``, -1 where it has none."""
    place = {value: code for code, value in enumerate(order)}
    return np.array([place.get(value, -1) for value in values], dtype=np.int64)
