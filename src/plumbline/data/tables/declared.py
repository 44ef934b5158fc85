"""Tables with declared columns: split, encoded and written batch by batch.

Per row only its target, groups and split are held in memory (some 40 bytes); features are read one
column at a time to fit their encoders and one batch at a time to write them, so that a table may be
larger than memory.
"""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline import artifacts, names
from plumbline.artifacts import ABSENT_GROUPS, ENCODED_COLUMNS, DatasetSchema
from plumbline.data.base.entities import PSEUDONYM, pseudonyms
from plumbline.data.tables.columns import read_column
from plumbline.data.tables.csv_files import NUMBER
from plumbline.data.tables.declaration import Declaration
from plumbline.data.tables.encoders import UNSEEN, Encoder, describe, fit_encoder
from plumbline.data.tables.encoding import encoding_of
from plumbline.data.tables.public_tables import PUBLIC_DIALECT
from plumbline.data.tables.rows import BATCH, Rows, check_presence, read_rows
from plumbline.data.tables.user_table import dialect_of
from plumbline.errors import DataError

if TYPE_CHECKING:
    from plumbline.params.data import TabularData

log = logging.getLogger(__name__)


class DeclaredTable:
    """A table with declared columns that is prepared when it is written.

    Parameters
    ----------
    read : callable
        Takes a scratch folder; returns the typed columns as an Arrow dataset and their declaration.
    parameters : TabularData
    """

    def __init__(
        self,
        read: Callable[[Path], tuple[Any, Declaration]],
        parameters: TabularData,
    ) -> None:
        self._read, self._parameters = read, parameters
        self._counts: dict[str, float] = {}

    def write(self, folder: Path, *, raw_files: Mapping[str, str] | None = None) -> None:
        """Split, encode and write the table into ``folder``.

        Raises
        ------
        DataError
            If a column, value, class or group is not as declared; see `rows` and `encoders`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".scratch-") as scratch:
            dataset, declaration = self._read(Path(scratch))
            rows = read_rows(dataset, declaration, self._parameters)
            self._counts = _counts(rows)
            check_presence(rows, declaration, self._parameters)
            encoders = _with_free_names(
                _fit_encoders(dataset, declaration, self._parameters, rows), declaration
            )
            batches = _prepared_batches(dataset, declaration, rows, encoders)
            _write_table(folder / "table.parquet", batches)
        _warn_of_rare_categories(encoders, declaration, self._parameters)
        _warn_of_new_categories(encoders, declaration, held_out=int((~rows.train).sum()))
        for note in artifacts.unmarked_value_notes({ENCODED_COLUMNS: describe(encoders)}):
            log.warning("%s: %s", declaration.source, note)
        schema = _schema(declaration, self._parameters, rows, encoders)
        artifacts.write_json(folder / "schema.json", schema.with_raw_files(raw_files))
        rules, own = self._parameters.encoding, self._parameters.csv
        dialect = dialect_of(own) if self._parameters.source == "csv" and own else PUBLIC_DIALECT
        encoding = encoding_of(encoders, rules=rules, dialect=dialect)
        artifacts.write_encoding(folder, encoding)

    def counts(self) -> dict[str, float]:
        """Return rows per split and per split and group of the written table."""
        return self._counts


def _warn_of_rare_categories(
    encoders: Sequence[Encoder], declaration: Declaration, parameters: TabularData
) -> None:
    """Warn of inferred categories that are mostly rare, such as misread numbers or names."""
    own = parameters.csv
    if parameters.source != "csv" or own is None:
        return
    for encoder in encoders:
        rare = encoder.facts.get("categories_in_other", 0)
        if rare > parameters.encoding.max_categories and encoder.column not in own.types:
            log.warning(
                "%s: column %r was read as a category, such as %r; %d of its values share one "
                "feature. A name belongs to the entity or is left out of features; else declare "
                "the type in types",
                declaration.source, encoder.column, encoder.values[0], rare,
            )  # fmt: skip


def _warn_of_new_categories(
    encoders: Sequence[Encoder], declaration: Declaration, *, held_out: int
) -> None:
    """Warn of categories that most held-out rows have and no training row, nor a shared feature."""
    for encoder in encoders:
        shared = "categories_in_other" in encoder.facts
        if not shared and 2 * (new := encoder.facts.get(UNSEEN, 0)) > held_out:
            log.warning(
                "%s: %d of the %d held-out rows have a category of column %r that no training row "
                "has; leave it out of features, or split in another way",
                declaration.source, new, held_out, encoder.column,
            )  # fmt: skip


def _fit_encoders(
    dataset: Any, declaration: Declaration, parameters: TabularData, rows: Rows
) -> list[Encoder]:
    hidden = set() if parameters.attributes_as_features else set(declaration.attributes)
    chosen = [name for name in declaration.features if name not in hidden]
    if not chosen:
        raise DataError(
            f"{declaration.source}: a column must be left as feature, got attributes only; set "
            "data_tabular.attributes_as_features to true or add features"
        )
    train = np.zeros(len(rows.kept), dtype=bool)
    train[np.flatnonzero(rows.kept)[rows.train]] = True
    found = []
    for name in chosen:
        column = read_column(dataset, name)
        _check_finite(column, declaration.kinds[name], name, declaration.source)
        found.append(
            fit_encoder(
                column.filter(train),
                held_out=column.filter(rows.kept & ~train),
                column=name,
                kind=declaration.kinds[name],
                rules=parameters.encoding,
                where=declaration.source,
            )
        )
    return found


def _check_finite(column: Any, kind: str, name: str, where: str) -> None:
    import pyarrow.compute as pc

    if kind == NUMBER and (wrong := pc.sum(pc.is_inf(column)).as_py()):
        raise DataError(
            f"{where}: feature {name!r} must be finite in every row, got infinite values in "
            f"{wrong} rows; correct or remove them"
        )


def _with_free_names(encoders: Sequence[Encoder], declaration: Declaration) -> list[Encoder]:
    """Return the encoders with features that are not named like other columns of the table."""
    taken = {*names.PREPARED_COLUMNS, *declaration.attributes}
    renamed = [
        replace(e, features=tuple(f"{n}_value" if n in taken else n for n in e.features))
        for e in encoders
    ]
    counts = Counter([*taken, *_feature_names(renamed)])
    if twice := sorted(name for name, count in counts.items() if count > 1):
        raise DataError(
            f"{declaration.source}: feature columns must have different names, got {twice[0]!r} "
            "twice; rename a column"
        )
    return renamed


def _feature_names(encoders: Sequence[Encoder]) -> list[str]:
    return [name for encoder in encoders for name in encoder.features]


def _write_table(path: Path, batches: Iterable[Any]) -> None:
    import pyarrow.parquet as pq

    with artifacts.atomic(path) as temporary, ExitStack() as stack:
        writer = None
        for batch in batches:
            writer = writer or stack.enter_context(pq.ParquetWriter(temporary, batch.schema))
            writer.write_batch(batch)


def _prepared_batches(
    dataset: Any, declaration: Declaration, rows: Rows, encoders: Sequence[Encoder]
) -> Iterator[Any]:
    import pyarrow as pa

    columns = [encoder.column for encoder in encoders]
    raw_row = done = 0
    labels = {name: np.array(groups, dtype=object) for name, (_, groups) in rows.groups.items()}
    for batch in dataset.to_batches(columns=columns, batch_size=BATCH):
        kept = rows.kept[raw_row : raw_row + batch.num_rows]
        number = np.flatnonzero(kept) + raw_row
        raw_row += batch.num_rows
        here = slice(done, done + len(number))
        done += len(number)
        found: dict[str, Any] = {
            "sample_id": [f"{declaration.source}-{row:07d}" for row in number],
            "split": rows.split[here],
            "y": rows.y[here],
        }
        if rows.entity is not None:
            found[names.ENTITY] = pseudonyms(rows.entity[here])
        if rows.weight is not None:
            found[names.WEIGHT] = rows.weight[here]
        wanted = batch.filter(kept)
        parts = [part for e in encoders for part in e.transform(wanted.column(e.column))]
        found |= dict(zip(_feature_names(encoders), parts, strict=True))
        found |= {name: labels[name][rows.groups[name][0][here]] for name in labels}
        yield pa.record_batch(
            [pa.array(v, pa.string()) if _is_text(v) else pa.array(v) for v in found.values()],
            names=list(found),
        )


def _schema(
    declaration: Declaration,
    parameters: TabularData,
    rows: Rows,
    encoders: Sequence[Encoder],
) -> DatasetSchema:
    about = {
        **declaration.about,
        **rows.facts,
        "split": rows.split_rule,
        "attributes": {
            name: declaration.about["attributes"].get(name, f"Column {name!r} of the file.")
            for name in declaration.attributes
        },
        "attributes_as_features": parameters.attributes_as_features,
        "attribute_features": {
            e.column: list(e.features) for e in encoders if e.column in declaration.attributes
        },
        ENCODED_COLUMNS: describe(encoders),
        "encoding": parameters.encoding.model_dump(mode="json"),
    }
    if rows.absent_groups:
        about[ABSENT_GROUPS] = rows.absent_groups
    if declaration.entity:
        about["entity"] = f"column {declaration.entity!r}, {PSEUDONYM}"
    if declaration.weight:
        about["weight"] = (
            f"Column {declaration.weight!r} is the sample weight: models are fitted, evaluated and "
            "audited with it."
        )
    return DatasetSchema(
        dataset=names.TABULAR,
        source=declaration.source,
        task={0: "regression", 2: "binary"}.get(len(rows.classes), "multiclass"),
        classes=rows.classes,
        attributes=tuple(declaration.attributes),
        features=tuple(_feature_names(encoders)),
        about=about,
    )


def _counts(rows: Rows) -> dict[str, float]:
    found = {}
    for split in names.SPLITS:
        here = rows.split == split
        found[f"{split}/rows"] = float(here.sum())
        for name, (codes, groups) in rows.groups.items():
            sizes = np.bincount(codes[here], minlength=len(groups))
            for group, size in zip(groups, sizes, strict=True):
                found[f"{split}/rows/{name}/{group}"] = float(size)
    return found


def _is_text(values: Any) -> bool:
    return isinstance(values, list) or getattr(values, "dtype", None) == np.dtype(object)
