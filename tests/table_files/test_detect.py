"""The delimiter is the one that splits the header, and the rows into as many fields."""

import pytest

from plumbline.errors import DataError
from plumbline.table_files import Dialect, delimited, detect, read_header


@pytest.mark.parametrize(
    ("head", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n", ";"),
        ("a\tb\n1, 2\t3\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ("a,b;c\n1,2\n", ","),  # no row has the semicolon
        ('"a;b",c\n1,2\n', ","),
        ('a,"b\nc;d"\n1,"2;\n3"\n', ","),
        ("a\n1;2\n", ","),  # a single column
        ("a", ","),
        ("a;b", ";"),
        ("a;b\n1;2;3\n", ";"),  # a wrong row does not hide the only candidate
        ("\n\na;b\n\n1;2\n", ";"),
        ("a b\n1 2\n", ","),
    ],
)
def test_the_delimiter(head, delimiter):
    assert detect.detect_delimiter(head, whole=True, where="here") == delimiter


@pytest.mark.parametrize("head", ["a,b;c\n1,2;3\n", "a,b;c\n1,2,3;2;3\n4,5\n", "a,b;c"])
def test_more_than_one_is_refused(head):
    with pytest.raises(DataError) as error:
        detect.detect_delimiter(head, whole=True, where="here")
    assert str(error.value) == (
        "here: delimiter must be clear from the header and the first rows, got ',' or ';'; declare "
        "it (--delimiter, or delimiter in params.yaml)"
    )


def test_the_last_row_counts_only_if_it_is_whole():
    head = "a;b,c\n1;2,3\n4;5\n6"
    with pytest.raises(DataError):
        detect.detect_delimiter(head, whole=True, where="here")
    assert detect.detect_delimiter(head, whole=False, where="here") == ";"


def test_only_the_first_rows_decide():
    head = "a;b,c\n" + "1;2,3\n" * 50 + "1;2\n"
    assert detect.detect_delimiter(head, whole=True, where="here") == ";"
    late = "a;b,c\n" + "1;2,3\n" * 100 + "1;2\n"
    with pytest.raises(DataError):
        detect.detect_delimiter(late, whole=True, where="here")


def test_a_header_may_be_longer_than_the_beginning_that_is_read_first(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "HEAD", 64)
    names = tuple(f"column {number}" for number in range(500))
    row = ",".join("1" for _ in names)
    (tmp_path / "t.csv").write_text(",".join(names) + f"\n{row}\n")
    assert read_header(tmp_path / "t.csv", where="here") == names
    (tmp_path / "t.csv").write_text(",".join(names))
    assert read_header(tmp_path / "t.csv", Dialect(","), where="here") == names


def test_repeated_names_are_found_with_their_columns():
    assert detect.duplicate(("a", "b", "A", "", "")) is None
    assert detect.duplicate(("a", "b", "a", "b", "a")) == "'a' in columns 1, 3, 5"
