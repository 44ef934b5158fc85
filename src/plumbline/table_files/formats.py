"""Formats of tables by the ending of their name and by their first bytes."""

from __future__ import annotations

from pathlib import Path

from plumbline.errors import DataError

CSV, PARQUET = "csv", "parquet"
_PARQUET = (".parquet", ".pq")
_SHEET = "open it and save the sheet as CSV (UTF-8)"
_PANDAS = "read it with pandas and write it with to_parquet"
_UNPACK = "unpack it, or pack it as .csv.gz"
_WAYS_OUT = {
    ".xlsx": _SHEET, ".xlsm": _SHEET, ".xlsb": _SHEET, ".xls": _SHEET, ".ods": _SHEET,
    ".numbers": _SHEET,
    ".json": _PANDAS, ".jsonl": _PANDAS, ".ndjson": _PANDAS, ".feather": _PANDAS,
    ".arrow": _PANDAS, ".orc": _PANDAS, ".avro": _PANDAS, ".dta": _PANDAS, ".sav": _PANDAS,
    ".sas7bdat": _PANDAS, ".rds": _PANDAS, ".pkl": _PANDAS, ".pickle": _PANDAS, ".h5": _PANDAS,
    ".hdf5": _PANDAS, ".sqlite": _PANDAS, ".db": _PANDAS, ".duckdb": _PANDAS,
    ".zip": _UNPACK, ".7z": _UNPACK, ".rar": _UNPACK, ".tar": _UNPACK, ".tgz": _UNPACK,
    ".bz2": _UNPACK, ".xz": _UNPACK, ".zst": _UNPACK, ".lz4": _UNPACK,
}  # fmt: skip
_MAGIC = {
    b"PAR1": "a Parquet file; rename it to .parquet",
    b"PK\x03\x04": f"a zip archive or a workbook of Excel; {_SHEET}, or unpack it",
    b"\xd0\xcf\x11\xe0": f"a workbook of Excel; {_SHEET}",
    b"\x1f\x8b": "a file packed by gzip; rename it to .csv.gz",
    b"ARROW1": f"an Arrow file; {_PANDAS}",
    b"version https://git-lfs": "a pointer of Git LFS; run git lfs pull",
    b"<!doctype html": "a web page; download the file itself",
    b"<html": "a web page; download the file itself",
}


def format_of(path: Path, *, where: str) -> str:
    """Return `CSV` or `PARQUET`; endings that are not known are text with delimiters.

    Capital letters in an ending make no difference.

    Raises
    ------
    DataError
        If there is no such file, it is empty, or of a format that is not read.
    """
    if not path.is_file():
        raise DataError(f"{where}: file must exist, got none at {path}; check the path")
    if not path.stat().st_size:
        raise DataError(f"{where}: {path.name} must have rows, got an empty file")
    ending = path.suffix.lower()
    if ending == ".gz":
        inner = path.with_suffix("").suffix.lower()
        if inner in (*_PARQUET, *_WAYS_OUT):
            raise DataError(f"{where}: {path.name} must be CSV inside .gz, got {inner}; unpack it")
        return CSV
    if ending in _WAYS_OUT:
        raise DataError(
            f"{where}: file must be CSV or Parquet, got {path.name}; {_WAYS_OUT[ending]}"
        )
    if ending in _PARQUET:
        return PARQUET
    with path.open("rb") as stream:
        head = stream.read(32)
    for magic, kind in _MAGIC.items():
        if head.startswith(magic) or head.lower().startswith(magic):
            raise DataError(f"{where}: {path.name} must be text with delimiters, got {kind}")
    return CSV
