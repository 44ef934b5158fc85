"""The split of each row of a declared table: from a column, by time, or by a hash."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.data.base.entities import divided_rows
from plumbline.data.base.presence import first_few
from plumbline.data.base.splits import assign_hashed, pooled_strata
from plumbline.data.tables.csv_files import CATEGORY
from plumbline.data.tables.declaration import Declaration
from plumbline.errors import DataError

if TYPE_CHECKING:
    from plumbline.params.data import TabularData

log = logging.getLogger(__name__)

# What columns of splits say, in small letters.
WORDS = {
    "train": names.TRAIN, "training": names.TRAIN,
    "val": names.VAL, "valid": names.VAL, "validation": names.VAL, "dev": names.VAL,
    "test": names.TEST, "testing": names.TEST,
}  # fmt: skip
_ORDER = np.array(names.SPLITS, dtype=object)  # training rows are the earliest

Mask = npt.NDArray[np.bool_]
Split = npt.NDArray[np.object_]
Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class GivenSplit:
    """What a file says about the splits of its rows.

    Attributes
    ----------
    split : object array, (N,)
        Split of each row, ``""`` where `by_hash` decides.
    stays : bool array, (N,)
        Rows that are not left out.
    rule : str
        How the split was made, up to what `by_hash` adds.
    facts : mapping
        More facts for the schema.
    """

    split: Split
    stays: Mask
    rule: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def file_rows(kept: Mask, positions: npt.NDArray[np.int64]) -> str:
    """Name the first few of the kept rows by their numbers in the file, 1 below the header."""
    return "rows " + first_few((np.flatnonzero(kept)[positions] + 1).tolist())


def given_split(
    columns: Mapping[str, Any], declaration: Declaration, parameters: TabularData, kept: Mask,
    units: Hashes,
) -> GivenSplit:  # fmt: skip
    """Return the splits that a file gives to its kept rows.

    Parameters
    ----------
    columns : mapping of str to Arrow array
        Whole columns of the file by name: that of the split or of the time.
    declaration : Declaration
    parameters : TabularData
    kept : bool array
        Rows of the file that have a target.
    units : array of uint64, (N,)
        Hash of the entity of each kept row, or of its features.

    Raises
    ------
    DataError
        If a value is missing or no split, an entity is in two splits, or a split has no row.
    """
    if declaration.split:
        column = columns[declaration.split].filter(kept)
        return _by_column(column, declaration, kept, units)
    if declaration.time:
        column = columns[declaration.time].filter(kept)
        return _by_time(column, declaration, parameters, kept, units)
    split = np.full(len(units), "", dtype=object)
    if declaration.official:
        column = columns[declaration.official].filter(kept).to_numpy(zero_copy_only=False)
        split[column == names.TEST] = names.TEST
    held = "the official test set stays the test split; the rest is divided "
    return GivenSplit(split, np.ones(len(units), bool), held if declaration.official else "")


def by_hash(
    given: GivenSplit, units: Hashes, levels: Sequence[npt.NDArray[np.int64]],
    declaration: Declaration, parameters: TabularData,
) -> tuple[Split, str]:  # fmt: skip
    """Return the split of each row that stays, and how it was made.

    Parameters
    ----------
    given : GivenSplit
    units : array of uint64, (N,)
    levels : sequence of int arrays, (N,)
        Class and groups, by which rows are stratified.
    declaration, parameters
    """
    split = given.split[given.stays].copy()
    own = split == ""
    if not own.any():
        return split, given.rule
    held_out = set(split)
    val, test = (
        0.0 if name in held_out else fraction
        for name, fraction in (
            (names.VAL, parameters.val_fraction), (names.TEST, parameters.test_fraction),
        )
    )  # fmt: skip
    smallest = min(fraction for fraction in (val, test) if fraction > 0)
    strata = pooled_strata([level[own] for level in levels], min_rows=math.ceil(0.5 / smallest))
    split[own] = assign_hashed(units[own], strata=strata, val_fraction=val, test_fraction=test)
    unit = f"entity ({declaration.entity})" if declaration.entity else "row's features"
    return split, f"{given.rule}by SHA-256 of the {unit}, stratified by target and attributes"


def _by_column(column: Any, declaration: Declaration, kept: Mask, units: Hashes) -> GivenSplit:
    import pyarrow.compute as pc

    where, name = declaration.source, declaration.split
    _refuse_missing(column, "split", str(name), declaration, kept)
    coded = pc.utf8_lower(pc.utf8_trim_whitespace(column)).dictionary_encode()
    values, codes = coded.dictionary.to_pylist(), np.asarray(coded.indices)
    counts = dict(zip(values, np.bincount(codes, minlength=len(values)).tolist(), strict=True))
    if unknown := [f"{v!r} in {counts[v]} rows" for v in sorted(values) if v not in WORDS]:
        raise DataError(
            f"{where}: split {name!r} must say {', '.join(names.SPLITS)} (or one of "
            f"{', '.join(w for w in WORDS if w not in names.SPLITS)}), got {first_few(unknown)}; "
            "correct the column, or leave the rows out of the file"
        )
    split = np.array([WORDS[value] for value in values], dtype=object)[codes]
    absent = [each for each in names.SPLITS if each not in split]
    if names.TRAIN in absent or len(absent) == 2:
        raise DataError(
            f"{where}: split {name!r} must have training and held-out rows, got none for "
            f"{' and '.join(absent)}; correct the column or set data_tabular.csv.split to null"
        )
    if declaration.entity and len(wrong := divided_rows(units, split)):
        raise DataError(
            f"{where}: split {name!r} must keep the rows of one {declaration.entity!r} together, "
            f"got {len(np.unique(units[wrong]))} entities in two splits "
            f"({file_rows(kept, wrong)}); correct the column, or declare no entity"
        )
    said = ", ".join(f"{value!r} is {WORDS[value]}" for value in sorted(values))
    rule = f"by the column {name!r} of the file ({said}), not stratified"
    if absent:
        split[split == names.TRAIN] = ""
        rule += f"; of its training rows the {absent[0]} split is divided "
    return GivenSplit(split, np.ones(len(split), bool), rule)


def _by_time(
    column: Any, declaration: Declaration, parameters: TabularData, kept: Mask, units: Hashes
) -> GivenSplit:
    where, name = declaration.source, str(declaration.time)
    if declaration.kinds[name] == CATEGORY:
        raise DataError(
            f"{where}: time {name!r} must be dates (YYYY-MM-DD) or numbers, got categories; "
            "correct the column, or declare its type"
        )
    _refuse_missing(column, "time", name, declaration, kept)
    values, code, counts = np.unique(
        column.to_numpy(zero_copy_only=False), return_inverse=True, return_counts=True
    )
    if len(values) < len(names.SPLITS):
        raise DataError(
            f"{where}: time {name!r} must have at least {len(names.SPLITS)} values, got "
            f"{len(values)}; rows of one time are in one split"
        )
    val, test = _first_held_out(counts, parameters.val_fraction, parameters.test_fraction)
    place = (code >= val).astype(np.int64) + (code >= test)
    rule = (
        f"by time, column {name!r}: train before {_moment(values[val])}, val from then and before "
        f"{_moment(values[test])}, test from then; rows of one time are in one split; not "
        "stratified"
    )
    stays, facts = np.ones(len(place), bool), {}
    if declaration.entity:
        stays = _before_a_later_split(place, units)
        rule += "; of an entity only the rows in its earliest split are kept"
        facts = {"later_rows_of_known_entities_left_out": int((~stays).sum())}
        if not stays.all():
            log.warning(
                "%s: %d of %d rows are left out: their %r has rows in an earlier split",
                where, (~stays).sum(), len(stays), declaration.entity,
            )  # fmt: skip
    for number, split in enumerate(names.SPLITS):
        if not (place[stays] == number).any():
            raise DataError(
                f"{where}: split {split} must have a {declaration.entity!r} without earlier rows, "
                f"got none in its {int((place == number).sum())} rows; split by entity "
                "(data_tabular.csv.time: null), or declare no entity"
            )
    return GivenSplit(_ORDER[place], stays, rule, facts)


def _first_held_out(
    counts: npt.NDArray[np.int64], val_fraction: float, test_fraction: float
) -> tuple[int, int]:
    """Return the first time of validation and of test, as near to the fractions as times allow."""
    before = np.cumsum(counts)  # rows before time k + 1
    n = before[-1]
    test = 2 + int(np.argmin(np.abs(before[1:-1] - n * (1 - test_fraction))))
    cut = n * (1 - test_fraction - val_fraction)
    return 1 + int(np.argmin(np.abs(before[: test - 1] - cut))), test


def _before_a_later_split(place: npt.NDArray[np.int64], units: Hashes) -> Mask:
    unit = np.unique(units, return_inverse=True)[1]
    first = np.full(unit.max(initial=-1) + 1, len(names.SPLITS))
    np.minimum.at(first, unit, place)
    return np.asarray(place == first[unit])


def _moment(value: Any) -> str:
    if isinstance(value, np.datetime64):
        return str(value).rstrip("0").rstrip(".").removesuffix("T00:00:00")
    return f"{value:.15g}"


def _refuse_missing(
    column: Any, role: str, name: str, declaration: Declaration, kept: Mask
) -> None:
    if not column.null_count:
        return
    rows = np.flatnonzero(np.asarray(column.is_null().to_numpy(zero_copy_only=False)))
    raise DataError(
        f"{declaration.source}: {role} {name!r} must have a value in every row, got {len(rows)} "
        f"missing ({file_rows(kept, rows)}); correct them or leave the rows out of the file"
    )
