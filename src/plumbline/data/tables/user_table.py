"""The user's CSV or Parquet file, as ``data_tabular.csv`` declares it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.data.base.sources import located
from plumbline.data.tables.csv_files import NUMBER, stage_table
from plumbline.data.tables.declaration import Declaration
from plumbline.errors import DataError
from plumbline.table_files import Dialect

if TYPE_CHECKING:
    from plumbline.params.data import CsvSource, TabularData


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
    wanted = None if own.features == "all" else list(dict.fromkeys([*own.features, *roles]))
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
        dialect=Dialect(
            own.delimiter, own.encoding, own.decimal, own.thousands, own.missing_values
        ),
    )
    excluded = {own.target, own.entity, own.weight}
    features = [n for n in (kinds if own.features == "all" else own.features) if n not in excluded]
    if own.features != "all" and (wrong := sorted(set(own.features) & excluded)):
        raise DataError(f"csv: features must not include the target, entity or weight, got {wrong}")
    return ds.dataset(staged), Declaration(
        source="csv",
        target=own.target,
        kinds=kinds,
        features=tuple(features),
        attributes=own.attributes,
        about={**own.about.model_dump(), "attributes": {}},
        positive=own.positive if parameters.target == "label" else None,
        entity=own.entity,
        weight=own.weight,
    )


def _roles(own: CsvSource) -> list[str]:
    found = [own.target, *own.attributes]
    return [*found, *(name for name in (own.entity, own.weight) if name is not None)]
