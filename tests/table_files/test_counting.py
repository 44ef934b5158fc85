"""Rows are counted from bytes as Python's csv module parses them."""

import csv
import io
import random

import pytest

from plumbline.table_files.counting import RowCounter


def counted(text, sizes=(1 << 20,)):
    counter, data, start = RowCounter(","), text.encode(), 0
    while start < len(data):
        size = sizes[start % len(sizes)]
        counter.feed(data[start : start + size])
        start += size
    counter.finish()
    return counter


@pytest.mark.parametrize("seed", range(20))
def test_every_text_has_the_rows_that_csv_parses(seed):
    """The pieces are short, so that quotes and line ends are cut everywhere."""
    draw = random.Random(seed)
    for _ in range(200):
        text = "".join(draw.choice('",\n\ra"\u00e4') for _ in range(draw.randrange(12)))
        found = counted(text, sizes=(draw.randrange(1, 4), draw.randrange(1, 4)))
        whole = counted(text)
        assert (found.rows, found.longest, found.fault) == (whole.rows, whole.longest, whole.fault)
        if found.fault is None:
            rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
            assert found.rows == len(rows), repr(text)


def test_the_longest_row_is_known_with_its_quotes():
    assert counted('a,b\n"x\ny",z\n1,2').longest == len('"x\ny",z')


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('a\n1\n"2\n3\n', "a quote that opens in row 2 and does not close"),
        ('a\n"1"2\n', "text after a closing quote in row 1"),
        ('a\n"1\\"2"\n', "text after a closing quote in row 1"),
        ("a\n1\n\n2\0\n", "a NUL byte in row 2"),
        ('a\n5" pipe\n"6"" pipe"\n', None),
    ],
)
def test_faults_are_named_with_their_row(text, fault):
    assert counted(text).fault == fault
    assert counted(text, sizes=(1,)).fault == fault
