"""Parquet is read as plain types, whatever way it was written in."""

import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plumbline.errors import DataError
from plumbline.table_files import is_plain_parquet, read_frame, stage
from plumbline.table_files.parquet import plain_type

TEXT = [
    pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(),
    pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.large_string()),
]  # fmt: skip


@pytest.mark.parametrize("kind", TEXT)
def test_every_kind_of_text_is_text(tmp_path, kind):
    pq.write_table(pa.table({"a": pa.array(["nan", None, ""]).cast(kind)}), tmp_path / "t.pq")
    assert read_frame(tmp_path / "t.pq", where="here")["a"].tolist() == ["nan", None, ""]


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint64(), pa.float32(), pa.bool_(), pa.date32(), pa.timestamp("ns")]
)
def test_other_values_keep_their_type(kind):
    assert plain_type(kind) == kind
    assert plain_type(pa.dictionary(pa.int8(), kind)) == kind


REAL = pa.array([1.5, float("nan"), None])


@pytest.mark.parametrize(
    "column", [REAL.cast(pa.float16()), REAL.cast(pa.float32()), REAL.dictionary_encode()]
)
def test_nan_is_a_missing_value(tmp_path, column):
    pq.write_table(pa.table({"a": column}), tmp_path / "t.pq")
    assert read_frame(tmp_path / "t.pq", where="here")["a"].tolist() == ["1.5", None, None]


@pytest.mark.parametrize(
    "value", [[1], {"a": 1}, datetime.timedelta(1)], ids=["list", "struct", "duration"]
)
def test_nested_values_are_refused_where_they_are_used(tmp_path, value):
    pq.write_table(pa.table({"a": [value], "b": [1]}), tmp_path / "t.pq")
    assert read_frame(tmp_path / "t.pq", columns=["b"], where="here")["b"].tolist() == ["1"]
    with pytest.raises(DataError, match="here: column 'a' must hold numbers, text or dates, got "):
        read_frame(tmp_path / "t.pq", where="here")


def test_two_columns_of_one_name_are_refused(tmp_path):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(table, tmp_path / "t.pq")
    with pytest.raises(DataError) as error:
        read_frame(tmp_path / "t.pq", where="here")
    assert str(error.value) == (
        "here: columns of t.pq must have different names, got 'a' in columns 1, 2; rename them"
    )


def test_text_among_numbers_and_bytes_need_staging(tmp_path):
    table = pa.table({"a": ["x"], "b": [b"x"], "n": [1], "t": ["1.5"]})
    path = tmp_path / "t.pq"
    pq.write_table(table, path)
    assert is_plain_parquet(path, ["a"], ["n"], where="here")
    assert not is_plain_parquet(path, ["b"], ["n"], where="here")
    assert not is_plain_parquet(path, ["a"], ["t"], where="here")
    found = stage(path, tmp_path / "s", columns=["b"], as_numbers=["t", "n"], where="here")
    assert pq.read_table(found.path).to_pydict() == {"c0": ["x"], "n0": [1.5], "n1": [1.0]}


def test_a_file_that_was_cut_is_refused(tmp_path):
    pq.write_table(pa.table({"a": list(range(1000))}), tmp_path / "t.pq")
    (tmp_path / "t.pq").write_bytes((tmp_path / "t.pq").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"here: t\.pq must be a readable parquet file, got "):
        read_frame(tmp_path / "t.pq", where="here")
