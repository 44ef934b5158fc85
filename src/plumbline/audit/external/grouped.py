"""Sums over the rows of every group of a file, whatever is summed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.audit.external import margins, relations
from plumbline.audit.external.keys import check_attributes
from plumbline.errors import DataError
from plumbline.metrics.groups import confusions, rates
from plumbline.table_files.dialect import Dialect

if TYPE_CHECKING:
    import duckdb

LOWEST = "lowest_"  # before the name of a number


class Source(NamedTuple):
    """A file, what DuckDB may use to read it, how a CSV is written, and the groups to count."""

    path: Path
    memory: str
    dialect: Dialect
    attributes: tuple[str, ...]
    max_order: int
    most: int


class Groups(NamedTuple):
    """A combination of attributes, its groups, and the group of every cell."""

    name: str
    labels: list[str]
    codes: npt.NDArray[np.int64]
    cells: pd.DataFrame


def sums_of_groups(
    source: Source,
    columns: dict[str, str],
    keys: dict[str, str],
    sums: dict[str, relations.Total],
    value: str,
    counts: Mapping[str, str] = MappingProxyType({}),
    others: Mapping[str, str] = MappingProxyType({}),
    lowest: Mapping[str, str] = MappingProxyType({}),
) -> list[Groups]:
    """Return the sums of every group of every combination, that of all rows first.

    The sums of one combination of all attributes and keys are a cell. Where these may be too many,
    each combination is counted by itself. ``columns`` are numbers that ``value`` is made of,
    ``others`` need no value to be one. Of each number of ``lowest``, SQL by name, the sums may use
    the lowest of its group of the cells, ``lowest_<name>``, which is a column of the cells, too.

    Raises
    ------
    DataError
        If there are no attributes, or a column or value is not what it must be.
    """
    check_attributes(source.attributes)
    asked = ("attribute",) * len(source.attributes)
    roles = [*columns.items(), *others.items(), *zip(asked, source.attributes, strict=True)]
    counts = {"n": "count(*)", "known": f"count({value})", **counts}
    combinations = confusions.combinations(
        source.attributes, max_order=source.max_order, overall=True
    )
    with (
        tempfile.TemporaryDirectory(prefix="plumbline-") as spill,
        relations.connect(spill, source.memory) as base,
    ):
        relation = relations.relation_of(
            base, source.path, roles, numbers=columns.keys(),
            dialect=source.dialect, spill=spill,
        )  # fmt: skip

        def cells(by: Mapping[str, str], rows: str = relation) -> pd.DataFrame:
            own, held = _with_lowest(base, source.path, rows, by, lowest)
            return relations.group(base, source.path, own, {**by, **keys}, {**counts, **held}, sums)

        def grouped(found: pd.DataFrame, chosen: tuple[str, ...], held: tuple[str, ...]) -> Groups:
            own = found.rename(columns={f"a{i}": name for i, name in enumerate(held)})
            groups = rates.combination_groups(own, chosen, found["n"], most=source.most)
            return Groups(*groups, found)

        if keys or margins.fits(base, relation, source.attributes):
            found = cells(margins.keys_of(source.attributes))
            _check(source, found, columns)
            return [grouped(found, chosen, source.attributes) for chosen in combinations]
        result = []
        for chosen in combinations:
            kept: list[str] = []
            rows = relation
            if chosen:
                rows, kept = margins.largest_groups(
                    base, source.path, relation, chosen, source.most
                )
            found = cells({"place": margins.PLACE} if kept else margins.keys_of(chosen), rows)
            _check(source, found, columns)
            name = names.INTERSECTION.join(chosen)
            result.append(
                Groups(name, kept, found["place"].to_numpy(np.int64), found)
                if kept
                else grouped(found, chosen, chosen)
            )
    return result


def _with_lowest(
    base: duckdb.DuckDBPyConnection,
    path: Path,
    rows: str,
    by: Mapping[str, str],
    numbers: Mapping[str, str],
) -> tuple[str, dict[str, str]]:
    """Return rows with the lowest of each number in their group, and these as aggregates."""
    import duckdb

    if not numbers:
        return rows, {}
    keys = [f"{sql} AS key_{name}" for name, sql in by.items()]
    found = ", ".join([*keys, *(f"min({sql}) AS {LOWEST}{name}" for name, sql in numbers.items())])
    try:
        base.execute(
            f"CREATE OR REPLACE TEMP TABLE lowest AS SELECT {found} FROM {rows} "
            + ("GROUP BY ALL" if by else "")
        )
    except duckdb.Error as error:
        line = str(error).strip().splitlines()[0]
        raise DataError(f"audit: {path.name} must be readable to its end, got {line}") from error
    same = [f"r.{sql} IS NOT DISTINCT FROM s.key_{name}" for name, sql in by.items()]
    joined = (
        f"(SELECT r.*, s.* FROM {rows} AS r JOIN lowest AS s ON {' AND '.join(same) or 'true'})"
    )
    return joined, {f"{LOWEST}{name}": f"any_value({LOWEST}{name})" for name in numbers}


def _check(source: Source, cells: pd.DataFrame, columns: Mapping[str, str]) -> None:
    if not cells["n"].sum():
        raise DataError(f"audit: {source.path.name} must have rows, got a header only")
    if missing := int((cells["n"] - cells["known"]).sum()):
        raise DataError(
            f"audit: {' and '.join(columns)} of {source.path.name} must be numbers in every row, "
            f"got {missing} rows without; leave them out"
        )
