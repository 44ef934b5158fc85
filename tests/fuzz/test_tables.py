"""Tables in any dialect, written by Python's own module: read cell by cell, or refused."""

import codecs
import csv
import gzip
import io
import math
import re
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.table_files import Dialect, delimited, numbers, read_frame, read_header, stage
from tests.fuzz.cases import damaged, damages, examples, outcome

DELIMITERS = [",", ";", "\t", "|"]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252", "utf-16-le"]
ODD = [
    "", " ", "NA", "nan", "#N/A", "# note", "-0.0", "1e400", "007", "1_0", "0x10",
    '"', '""', "a\r\nb", "\n", "\r", ",", ";", "|", "\t", "'", "\\", "é", "sex", "Sex", "a,b", "×",
    "split", "=1+1", "x" * 300, "9007199254740993",
]  # fmt: skip
WIDE = [*ODD, "日本", "🦉", "e\u0301", "\u00e9", "\u202e", "\u2028", "\x85", "\x0b", "\x1c"]
PIECES = [
    b'"',
    b'""',
    b",",
    b";",
    b"\n",
    b"\r\n",
    b"\r",
    b"\xff",
    b"\xef\xbb\xbf",
    b" ",
    b"#",
    b"a",
]


def cells(encoding: str) -> st.SearchStrategy[str]:
    """Texts that an encoding can write, without NUL bytes and byte-order marks."""
    narrow = encoding in ("latin-1", "cp1252")
    fits = [text for text in (ODD if narrow else WIDE) if not narrow or _writes(encoding, text)]
    free = st.text(
        st.characters(codec=encoding if narrow else "utf-8", exclude_characters="\0\ufeff\ufffe"),
        max_size=6,
    )
    return st.one_of(st.sampled_from(fits), free)


def _writes(encoding: str, text: str) -> bool:
    try:
        return text.encode(encoding).decode(encoding) == text
    except UnicodeError:
        return False


@st.composite
def tables(draw):
    """A header, rows, a dialect, and the bytes of its file."""
    encoding = draw(st.sampled_from(ENCODINGS))
    names = cells(encoding).filter(lambda name: name.strip() and not name.startswith("sep="))
    header = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    width = len(header)
    rows = draw(st.lists(st.lists(cells(encoding), min_size=width, max_size=width), max_size=12))
    if width == 1:  # an empty line is no row
        rows = [row for row in rows if row[0]]
    delimiter, ends = draw(st.sampled_from(DELIMITERS)), draw(st.sampled_from(["\n", "\r\n", "\r"]))
    sink = io.StringIO(newline="")
    # The module quotes a line end only if it is the terminator.
    free = any(set(cell) & {"\r", "\n"} for row in (header, *rows) for cell in row)
    quoting = csv.QUOTE_ALL if free or draw(st.booleans()) else csv.QUOTE_MINIMAL
    writer = csv.writer(sink, delimiter=delimiter, lineterminator=ends, quoting=quoting)
    writer.writerows([header, *rows])
    text = sink.getvalue()
    if draw(st.booleans()):
        text = text.removesuffix(ends)  # no line end after the last row
    return header, rows, delimiter, encoding, text.encode(encoding)


def written(folder: str, data: bytes, *, packed: bool = False) -> Path:
    path = Path(folder) / ("t.csv.gz" if packed else "t.csv")
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


def as_lists(path: Path, dialect: Dialect) -> tuple[list[str], list[list[str]]]:
    frame = read_frame(path, dialect, where="here")
    return list(frame.columns), frame.to_numpy(dtype=object).tolist()


def check_every_cell(table, block: int, packed: bool) -> None:
    header, rows, delimiter, encoding, data = table
    dialect = Dialect(delimiter=delimiter, encoding=encoding, missing=())
    block = max(block, 4 * sum(map(len, header)) + 16 * len(header))  # holds the header
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "BLOCKS", (block, *delimited.BLOCKS))
        path = written(folder, data, packed=packed)
        assert list(read_header(path, dialect, where="here")) == header
        assert as_lists(path, dialect) == (header, rows)
        found = stage(path, Path(folder) / "staged.parquet", dialect, where="here")
        assert found.rows == len(rows)
        stored = pq.read_table(Path(folder) / "staged.parquet")
        for place, name in enumerate(header):
            assert stored[found.stored(name)].to_pylist() == [row[place] for row in rows]
        guessed, told = outcome(
            lambda: stage(path, found.path, Dialect(encoding=encoding), where="x")
        )
        if told is None and guessed.delimiter == delimiter:
            assert (guessed.columns, guessed.rows) == (tuple(header), len(rows))


BLOCKS = st.sampled_from([16, 64, 257, 8 << 20])


@pytest.mark.no_cover
@examples(40)
@given(tables(), BLOCKS, st.booleans())
def test_every_cell_is_what_was_written(table, block, packed):
    check_every_cell(table, block, packed)


@pytest.mark.slow
@examples(300)
@given(tables(), BLOCKS, st.booleans())
def test_every_cell_of_many_tables_is_what_was_written(table, block, packed):
    check_every_cell(table, block, packed)


def python_rows(data: bytes, delimiter: str, encoding: str) -> list[list[str]] | None:
    """The rows that are not empty, as Python reads them; None where it finds a fault."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):  # fmt: skip
        if data.startswith(mark):
            encoding = name
            break
    try:
        text = data.decode(encoding)
        return [
            row
            for row in csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
            if row
        ]
    except (UnicodeError, csv.Error):
        return None


def check_damaged(table, draws, block: int) -> None:
    _, _, delimiter, encoding, data = table
    data = damaged(data, draws, PIECES)
    dialect = Dialect(delimiter=delimiter, encoding=encoding, missing=())
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "BLOCKS", (block, *delimited.BLOCKS))
        found, told = outcome(lambda: as_lists(written(folder, data), dialect))
    if told is None:
        want = python_rows(data, delimiter, encoding)
        assert want is not None, "Python finds a fault"
        assert [found[0], *found[1]] == want


@examples(80)
@given(tables(), damages, BLOCKS)
def test_a_damaged_table_is_read_as_python_reads_it_or_refused(table, draws, block):
    check_damaged(table, draws, block)


@pytest.mark.slow
@examples(400)
@given(tables(), damages, BLOCKS)
def test_many_damaged_tables_are_read_as_python_reads_them_or_refused(table, draws, block):
    check_damaged(table, draws, block)


# --- numbers --------------------------------------------------------------------------------------

DIGITS = st.text("0123456789", min_size=1, max_size=20)
LIKE_NUMBERS = st.one_of(
    st.sampled_from([text for text in WIDE if text]),
    st.floats().map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.builds("{}{}{}{}{}".format, st.sampled_from(["", "-", "+", " ", "--"]), DIGITS,
              st.sampled_from(["", ".", ",", "_", "e"]), st.one_of(st.just(""), DIGITS),
              st.sampled_from(["", " ", "e5", "E-3", "%", "\u00a0"])),
)  # fmt: skip


def oracle(text: str, decimal: str, thousands: str | None) -> float | None:
    """The number of a text by Python's own parser, None for none."""
    plain = text.strip(" \t\n\r\x0c")  # as \s of RE2
    if thousands is not None and thousands in plain:
        whole, sign, rest = plain.partition(decimal)
        if not re.fullmatch(r"[+-]?\d{1,3}(\D\d{3})+([eE][+-]?\d+)?", whole, re.ASCII):
            return None
        plain = whole.replace(thousands, "") + sign + rest
    if decimal != ".":
        if "." in plain:
            return None
        plain = plain.replace(decimal, ".")
    if "_" in plain or not plain.isascii():
        return None
    try:
        return float(plain)
    except ValueError:
        return None


def check_numbers(texts: list[str], decimal: str, thousands: str | None) -> None:
    dialect = Dialect(decimal=decimal, thousands=thousands)
    found, wrong = numbers.parse_numbers(pa.array(texts, pa.string()), dialect)
    want = [oracle(text, decimal, thousands) for text in texts]
    assert wrong.to_pylist() == [number is None for number in want]
    for text, number, expected in zip(texts, found.to_pylist(), want, strict=True):
        if expected is None or math.isnan(expected):
            assert number is None, text
        else:
            assert number == expected, text
    codes = any(re.match(r"\s*[+-]?0[0-9]", text, re.ASCII) for text in texts)
    whole = [int(n) for text in texts if re.fullmatch(r"[+-]?[0-9]+", n := text.strip(), re.ASCII)]
    exact = all(number == int(float(number)) for number in whole)
    assert numbers.are_numbers(pa.array(texts, pa.string()), dialect) == (
        None not in want and not codes and exact
    )


SIGNS = st.sampled_from([(".", None), (",", None), (",", "."), (".", ","), (".", " ")])


@examples(40)
@given(st.lists(LIKE_NUMBERS, max_size=5), SIGNS)
def test_numbers_are_those_of_pythons_parser(texts, signs):
    check_numbers(texts, *signs)


@pytest.mark.slow
@examples(300)
@given(st.lists(LIKE_NUMBERS, max_size=5), SIGNS)
def test_many_numbers_are_those_of_pythons_parser(texts, signs):
    check_numbers(texts, *signs)
