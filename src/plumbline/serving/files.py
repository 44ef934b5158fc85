"""Predictions of a file or folder, block by block: it may be larger than memory."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline import artifacts, names
from plumbline.data.base import folders
from plumbline.data.images.decode import SUFFIXES
from plumbline.errors import DataError
from plumbline.serving.interface import IMAGE, TEXT
from plumbline.serving.predictor import Predictor, load
from plumbline.serving.reliability import GroupReliability, check_columns, read_reliability
from plumbline.serving.supervised import TablePredictor
from plumbline.table_files import Dialect, read_batches, read_header
from plumbline.table_files.streams import text_encoding

if TYPE_CHECKING:
    import pandas as pd

WHERE = "predict"
PICTURES, DOCUMENTS = 256, 256  # files that are predicted at once
ROW, FILE = "row", "file"
DECISION = "decision"

# Samples of a block, with what names each of them: its row, from 0, or its file.
Block = tuple[dict[str, Sequence[Any]], Mapping[str, Any]]


@dataclass
class Outcome:
    """Number of predicted samples, and of those by decision where the model decides."""

    samples: int = 0
    decisions: Counter[str] = field(default_factory=Counter)


def predict_file(
    model_folder: Path,
    path: Path,
    out: Path,
    *,
    prepared: Path | None = None,
    dialect: Dialect | None = None,
    refuse_unseen: bool = False,
    audit: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Predict raw samples and write a row of results for each.

    Parameters
    ----------
    model_folder : Path
    path : Path
        CSV or Parquet table for a model of a table, or with a column ``text`` for one of texts; an
        image or a folder of images; a text file or a folder of them.
    out : Path
        Parquet file; it is written whole or not at all.
    prepared : Path, optional
        See `predictor.load`.
    dialect : Dialect, optional
        Of a CSV; by default that of the table that the model was trained on.
    refuse_unseen : bool
        Whether a category of no training row is an error.
    audit : mapping, optional
        Content of ``reports/audits/<model>.json``: each row also gets the reliability of its group
        by each attribute of the audit, which the table then must have as columns.
    progress : callable
        Takes the number of samples that are predicted so far.

    Raises
    ------
    DataError
        If the file is missing or unfit for the model, or ``out`` cannot be written.
    """
    _check_out(out, path)
    predictor = in_dialect(load(model_folder, prepared), dialect)
    if predictor.config.kind == names.GENERATOR:
        raise DataError(
            f"{WHERE}: model must predict samples, got the generator {predictor.config.model!r}; "
            "load it with mlflow.pyfunc and give it classes"
        )
    if not path.exists():
        raise DataError(f"{WHERE}: file must exist, got none at {path.as_posix()}")
    options: dict[str, Any] = {}
    if "refuse_unseen" in predictor.interface.options:
        options["refuse_unseen"] = refuse_unseen
    groups = read_reliability(audit) if audit is not None else []
    outcome = Outcome()
    with artifacts.atomic(out) as temporary, ExitStack() as stack:
        write = _writer(temporary, stack)
        for named, samples in _blocks(predictor, path, dialect, groups):
            found = predictor.predict(samples, **options)
            found = _with_reliability(found, groups, samples, _dialect_of(predictor, dialect))
            for place, (name, values) in enumerate(named.items()):
                found.insert(place, name, values)
            write(found)
            outcome.samples += len(found)
            if DECISION in found:
                outcome.decisions.update(found[DECISION])
            progress(outcome.samples)
        if not outcome.samples:
            raise DataError(f"{WHERE}: {path.name} must have a sample, got none")
    return outcome


def _check_out(out: Path, path: Path) -> None:
    if out.suffix != ".parquet" or out.is_dir() or not out.parent.is_dir():
        raise DataError(
            f"{WHERE}: out must be a .parquet file in a folder that exists, got {out.as_posix()}; "
            "choose another"
        )
    if out.resolve() == path.resolve():
        raise DataError(
            f"{WHERE}: out must be another file than the input, got {out.as_posix()} for both; "
            "choose another"
        )


def _writer(path: Path, stack: ExitStack) -> Callable[[pd.DataFrame], None]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer: Any = None

    def write(frame: pd.DataFrame) -> None:
        nonlocal writer
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
        if writer is None:
            writer = stack.enter_context(pq.ParquetWriter(path, table.schema))
        writer.write_table(table)

    return write


def in_dialect(predictor: Predictor, dialect: Dialect | None) -> Predictor:
    """Return the predictor of a table with another dialect, but its texts of missing values."""
    if dialect is None or not isinstance(predictor, TablePredictor):
        return predictor
    columns = predictor.columns
    chosen = replace(dialect, missing=columns.dialect.missing)
    return replace(predictor, columns=replace(columns, dialect=chosen))


def _dialect_of(predictor: Predictor, dialect: Dialect | None) -> Dialect:
    if isinstance(predictor, TablePredictor):
        return predictor.columns.dialect
    return dialect or Dialect()


def _with_reliability(
    found: pd.DataFrame,
    groups: Sequence[GroupReliability],
    samples: Mapping[str, Any],
    dialect: Dialect,
) -> pd.DataFrame:
    import pandas as pd

    more = [one.columns(samples[one.attribute], dialect=dialect) for one in groups]
    return pd.concat([found, *more], axis=1) if more else found


def _blocks(
    predictor: Predictor,
    path: Path,
    dialect: Dialect | None,
    groups: Sequence[GroupReliability] = (),
) -> Iterator[Block]:
    (first, *_) = predictor.interface.inputs
    if groups and (first.kind == IMAGE or path.is_dir() or path.suffix.lower() == ".txt"):
        raise DataError(
            f"{WHERE}: --reliability must be asked for a table with the columns "
            f"{[one.attribute for one in groups]}, got {path.name}; predict without it"
        )
    if first.kind == IMAGE:
        return _pictures(path)
    if first.kind == TEXT and (path.is_dir() or path.suffix.lower() == ".txt"):
        return _texts(path)
    if path.is_dir():
        raise DataError(
            f"{WHERE}: {path.name} must be a CSV or Parquet table for model "
            f"{predictor.config.model!r}, got a folder"
        )
    chosen = _dialect_of(predictor, dialect)
    own = predictor.columns.names if isinstance(predictor, TablePredictor) else (TEXT,)
    if groups:
        check_columns(groups, read_header(path, chosen, where=WHERE), file=path.name)
    columns = list(dict.fromkeys([*own, *(one.attribute for one in groups)]))
    return _rows(path, columns, chosen, of_text=first.kind == TEXT)


def _rows(
    path: Path, columns: Sequence[str], dialect: Dialect, *, of_text: bool
) -> Iterator[Block]:
    done = 0
    for batch in read_batches(path, dialect, columns, where=WHERE):
        if batch.num_rows == 0:
            continue
        samples = {name: batch.column(name) for name in columns}
        if of_text:
            samples[TEXT] = batch.column(TEXT).to_pylist()
        yield {ROW: range(done, done + batch.num_rows)}, samples
        done += batch.num_rows


def _pictures(path: Path) -> Iterator[Block]:
    for named, files in _files(path, SUFFIXES, PICTURES):
        yield {FILE: named}, {IMAGE: [_read(file) for file in files], FILE: named}


def _texts(path: Path) -> Iterator[Block]:
    for named, files in _files(path, {".txt"}, DOCUMENTS):
        yield {FILE: named}, {TEXT: [_read_text(file) for file in files]}


def _files(path: Path, suffixes: set[str] | frozenset[str], size: int) -> Iterator[Any]:
    found = folders.list_files(path, suffixes, where=WHERE) if path.is_dir() else [path]
    home = path if path.is_dir() else path.parent
    for start in range(0, len(found), size):
        files = found[start : start + size]
        yield [file.relative_to(home).as_posix() for file in files], files


def _guarded(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    @functools.wraps(read)
    def guarded(file: Path) -> Any:
        try:
            return read(file)
        except (OSError, UnicodeDecodeError) as error:
            why = error.reason if isinstance(error, UnicodeDecodeError) else error.strerror
            raise DataError(f"{WHERE}: {file.name} must be readable, got: {why}") from error

    return guarded


@_guarded
def _read(file: Path) -> bytes:
    return file.read_bytes()


@_guarded
def _read_text(file: Path) -> str:
    return file.read_text(encoding=text_encoding(file, "utf-8"))
