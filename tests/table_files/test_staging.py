"""Tables of any format become the same Parquet file, or one sentence says why not."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plumbline.errors import DataError
from plumbline.table_files import Dialect, read_frame, read_header, stage

ROWS = {"Sex": ["m", "f", None], "sex": ["#N/A", "x\ny", '"q", 5"']}
TEXT = 'Sex,sex\nm,#N/A\nf,"x\ny"\n,"""q"", 5"""\n'


def staged(folder, name, content, dialect=None, columns=None, **more):
    (folder / name).write_bytes(content)
    target = folder / "staged.parquet"
    found = stage(folder / name, target, dialect or Dialect(), columns, where="here", **more)
    table = pq.read_table(target)
    return found, {name: table[found.stored(name)].to_pylist() for name in found.columns}


def fault(folder, name, content, dialect=None, columns=None, **more):
    with pytest.raises(DataError) as error:
        staged(folder, name, content, dialect, columns, **more)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", TEXT.encode()),
        ("t.CSV", TEXT.rstrip("\n").encode()),
        ("t.csv", TEXT.encode("utf-8-sig")),
        ("t.csv", TEXT.encode("utf-16")),
        ("t.txt", b"\xfe\xff" + TEXT.encode("utf-16-be")),
        ("t.csv.gz", gzip.compress(TEXT.encode(), mtime=0)),
        ("t.csv", TEXT.replace("\n", "\r\n").replace("x\r\n", "x\n").encode()),
        ("t.tsv", TEXT.replace("Sex,", "Sex\t").replace("\n", "\n").replace("m,", "m\t")
         .replace("f,", "f\t").replace('\n,"""q', '\n\t"""q').encode()),
    ],
)  # fmt: skip
def test_every_way_to_write_a_csv_gives_the_same_rows(tmp_path, name, content):
    found, rows = staged(tmp_path, name, content)
    assert found.columns == ("Sex", "sex")
    assert found.rows == 3
    assert rows == ROWS
    assert found.delimiter == ("\t" if name == "t.tsv" else ",")
    assert read_header(tmp_path / name, where="here") == ("Sex", "sex")


@pytest.mark.parametrize("name", ["t.parquet", "t.PQ", "t.Parquet"])
def test_parquet_is_read_in_any_capitals(tmp_path, name):
    pq.write_table(pa.table(ROWS), tmp_path / name)
    found, rows = staged(tmp_path, name, (tmp_path / name).read_bytes())
    assert (found.rows, rows, found.delimiter) == (3, ROWS, None)


def test_numbers_of_a_decimal_comma(tmp_path):
    dialect = Dialect(decimal=",", thousands=".")
    text = "a;b\n1.234,5;1.5\n-1234,5;2\n;3\n,5;4\n"
    found, rows = staged(tmp_path, "t.csv", text.encode(), dialect, ["b", "a"], as_numbers=["a"])
    assert rows == {"b": ["1.5", "2", "3", "4"], "a": ["1.234,5", "-1234,5", None, ",5"]}
    numbers = pq.read_table(found.path)[found.stored_number("a")].to_pylist()
    assert numbers == [1234.5, -1234.5, None, 0.5]


def test_a_small_table_is_read_as_text(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n01,\n", encoding="utf-8")
    found = read_frame(tmp_path / "t.csv", Dialect(missing=()), where="here")
    assert found.to_dict("list") == {"a": ["01"], "b": [""]}
    pq.write_table(pa.table({"a": [1, None], "b": ["x", "y"]}), tmp_path / "t.pq")
    found = read_frame(tmp_path / "t.pq", columns=["a"], where="here")
    assert found.to_dict("list") == {"a": ["1", None]}
