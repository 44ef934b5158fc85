"""The user's CSV or Parquet file, as ``data_tabular.csv`` declares it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.data.base.sources import located
from plumbline.data.tables.csv_files import NUMBER, stage_table
from plumbline.data.tables.declaration import Declaration
from plumbline.errors import DataError
from plumbline.table_files import Dialect, read_header

if TYPE_CHECKING:
    from plumbline.params.data import TabularData
    from plumbline.params.own_data import CsvSource


def read_user_table(
    parameters: TabularData, scratch: Path, root: Path = Path()
) -> tuple[Any, Declaration]:
    """Return the typed columns of the declared file as an Arrow dataset, and their declaration.

    Raises
    ------
    DataError
        If the file or a column is not as declared.
    """
    import pyarrow.dataset as ds

    own = parameters.csv
    if own is None:
        raise DataError("csv: data_tabular.csv must describe the file, got nothing")
    roles = _roles(own)
    wanted = _wanted(own, located(own.path, root), roles)
    text = {name for name, bounds in own.attributes.items() if not bounds}
    types: dict[str, str] = {**own.types}
    for name, bounds in own.attributes.items():
        if bounds and types.setdefault(name, NUMBER) != NUMBER:
            raise DataError(
                f"csv: attribute {name!r} must be numeric to have bounds, got {types[name]}"
            )
    if parameters.target == "label":
        text.add(own.target)
    if own.entity is not None:
        text.add(own.entity)
    if own.split is not None:
        text.add(own.split)
    if own.weight is not None:
        types[own.weight] = NUMBER
    staged = scratch / "columns.parquet"
    kinds = stage_table(
        located(own.path, root),
        staged,
        where="csv",
        types=types,
        text_columns=text,
        needed=roles,
        wanted=wanted,
        dialect=dialect_of(own),
    )
    return ds.dataset(staged), Declaration(
        source="csv",
        target=own.target,
        kinds=kinds,
        features=_features(own, kinds),
        attributes=own.attributes,
        about={**own.about.model_dump(), "attributes": {}},
        positive=own.positive,
        rest=own.rest,
        entity=own.entity,
        weight=own.weight,
        split=own.split,
        time=own.time,
    )


def dialect_of(own: CsvSource) -> Dialect:
    """Return how the user's file is written."""
    return Dialect(own.delimiter, own.encoding, own.decimal, own.thousands, own.missing_values)


def _roles(own: CsvSource) -> list[str]:
    found = [own.target, *own.attributes]
    others = (own.entity, own.weight, own.split, own.time)
    return [*found, *(name for name in others if name is not None)]


def _features(own: CsvSource, kinds: Mapping[str, str]) -> tuple[str, ...]:
    roles = {own.target, own.entity, own.weight, own.split}
    if own.features == "all":
        # A time to come is in no training row: it is a feature only where it is asked for.
        roles |= {own.time, *own.except_}
        return tuple(name for name in kinds if name not in roles)
    if wrong := sorted(name for name in own.features if name in roles):
        raise DataError(
            f"csv: features must not include the target, entity, weight or split, got {wrong}"
        )
    return own.features


def _wanted(own: CsvSource, path: Path, roles: Sequence[str]) -> list[str] | None:
    """Return the columns to stage; None for all."""
    if own.features != "all":
        return list(dict.fromkeys([*own.features, *roles]))
    if not own.except_:
        return None
    header = read_header(path, dialect_of(own), where="csv")
    if absent := [name for name in own.except_ if name not in header]:
        raise DataError(
            f"csv: except must name columns of the file, got {absent} beside {list(header)[:30]}; "
            "names are case-sensitive"
        )
    return [name for name in header if name in roles or name not in own.except_]
