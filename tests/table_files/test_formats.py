"""Formats that are not read are refused with the way out."""

import pytest

from plumbline.errors import DataError
from plumbline.table_files.formats import CSV, PARQUET, format_of

SHEET = "open it and save the sheet as CSV (UTF-8)"
PANDAS = "read it with pandas and write it with to_parquet"


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("t.csv", CSV), ("t.TSV", CSV), ("t.tab", CSV), ("adult.data", CSV), ("t", CSV),
        ("t.csv.GZ", CSV), ("a.parquet.csv", CSV), ("t.parquet", PARQUET), ("t.PQ", PARQUET),
    ],
)  # fmt: skip
def test_the_ending_is_the_format(tmp_path, name, form):
    (tmp_path / name).write_text("a,b\n")
    assert format_of(tmp_path / name, where="here") == form


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("t.XLSX", b"PK", f"file must be CSV or Parquet, got t.XLSX; {SHEET}"),
        ("t.ods", b"PK", f"file must be CSV or Parquet, got t.ods; {SHEET}"),
        ("t.json", b"[]", f"file must be CSV or Parquet, got t.json; {PANDAS}"),
        ("t.feather", b"x", f"file must be CSV or Parquet, got t.feather; {PANDAS}"),
        (
            "t.csv.zip", b"PK",
            "file must be CSV or Parquet, got t.csv.zip; unpack it, or pack it as .csv.gz",
        ),
        ("t.pq.gz", b"x", "t.pq.gz must be CSV inside .gz, got .pq; unpack it"),
        (
            "t.csv", b"PK\x03\x04rest",
            "t.csv must be text with delimiters, got a zip archive or a workbook of Excel; "
            f"{SHEET}, or unpack it",
        ),
        (
            "t.csv", b"PAR1rest",
            "t.csv must be text with delimiters, got a Parquet file; rename it to .parquet",
        ),
        (
            "t.csv", b"\x1f\x8brest",
            "t.csv must be text with delimiters, got a file packed by gzip; rename it to .csv.gz",
        ),
        (
            "t.csv", b"<!DOCTYPE HTML>",
            "t.csv must be text with delimiters, got a web page; download the file itself",
        ),
        (
            "t.csv", b"version https://git-lfs.github.com/spec/v1",
            "t.csv must be text with delimiters, got a pointer of Git LFS; run git lfs pull",
        ),
        ("t.csv", b"", "t.csv must have rows, got an empty file"),
    ],
)  # fmt: skip
def test_other_formats_are_refused(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as error:
        format_of(tmp_path / name, where="here")
    assert str(error.value) == f"here: {sentence}"
