"""Texts that are numbers are those of Python's float, without its underlines, by hand otherwise."""

import itertools
import re

import pyarrow as pa
import pytest

from plumbline.table_files import Dialect
from plumbline.table_files.numbers import are_numbers, number_pattern, parse_numbers


def parsed(texts, dialect):
    numbers, wrong = parse_numbers(pa.array(texts, pa.string()), dialect)
    return numbers.to_pylist(), wrong.to_pylist()


@pytest.mark.parametrize("together", [True, False])
def test_numbers_are_those_of_python(together):
    """With a text that is none among them another way is taken, to the same end."""
    texts = ["".join(parts) for n in range(1, 4) for parts in itertools.product("+0.e5 ", repeat=n)]
    for text in texts:
        try:
            expected = float(text)
        except ValueError:
            expected = None
        numbers, wrong = parsed([text, *(["x"] if together else [])], Dialect())
        assert (numbers[0], wrong[0]) == (expected, expected is None), repr(text)


def test_every_pair_of_signs_reads_what_the_other_ways_of_writing_mean():
    plain = ["1234567.25", "-1000", "+12", "999.5", "1e3"]
    grouped = ["1,234,567.25", "-1,000", "+12", "999.5", "1e3"]
    expected = [float(text) for text in plain]
    for decimal, thousands in [(".", ","), (",", "."), (",", " "), (".", "'"), (",", "\u202f")]:
        signs = str.maketrans({",": thousands, ".": decimal})
        dialect = Dialect(decimal=decimal, thousands=thousands)
        for texts in (plain, grouped):
            written = [text.translate(signs) for text in texts]
            assert parsed(written, dialect) == (expected, [False] * 5)
            assert all(re.match(number_pattern(dialect), text) for text in written)


def test_missing_values_and_nan_are_null():
    assert parsed([None, "nan", "NaN", "1"], Dialect()) == ([None] * 3 + [1.0], [False] * 4)


def test_a_column_without_values_holds_no_text():
    assert are_numbers(pa.array([None, None], pa.string()), Dialect())


@pytest.mark.parametrize("thousands", [None, ","])
@pytest.mark.parametrize(
    ("text", "means_one"),
    [("9007199254740991", True), ("9007199254740993", False), ("1" + "0" * 22, True),
     ("1" + "0" * 23, False), ("0.12345678901234567890", True), (" 01", False), ("-01", False)],
)  # fmt: skip
def test_a_number_is_one_that_float64_holds(text, means_one, thousands):
    dialect = Dialect(thousands=thousands)
    assert are_numbers(pa.array([text], pa.string()), dialect) == means_one
    if thousands and text.isdigit():
        assert are_numbers(pa.array([f"{int(text):,}"], pa.string()), dialect) == means_one
