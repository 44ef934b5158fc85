"""CSV files as batches of text, in bounded memory, with their rows counted."""

from __future__ import annotations

import csv
import io
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.errors import DataError
from plumbline.table_files import detect
from plumbline.table_files.counting import RowCounter
from plumbline.table_files.dialect import Dialect
from plumbline.table_files.streams import Utf8, open_utf8

HEAD = 1 << 20  # bytes that the header and the delimiter are looked for in
LONGEST_HEADER = 32 << 20
BLOCKS = (8 << 20, 64 << 20, 512 << 20)  # bytes parsed at once; the larger ones for long rows

# What Arrow says of a row, or of a header, that is longer than a block.
_TOO_LONG = ("try to increase block size", "Empty CSV file or block")


@dataclass(frozen=True)
class Layout:
    """The names, the delimiter and the encoding of a CSV."""

    names: tuple[str, ...]
    delimiter: str
    encoding: str


def layout_of(path: Path, dialect: Dialect, *, where: str) -> Layout:
    """Return the layout of a CSV from its beginning.

    Raises
    ------
    DataError
        If it has no header, two columns of one name, another encoding, or no clear delimiter.
    """
    with _readable(path, dialect, where), open_utf8(path, dialect.encoding) as stream:
        head, encoding = stream.read(HEAD), stream.encoding
        while not detect.holds_header(_as_text(head), dialect.delimiter):
            if len(head) > LONGEST_HEADER or not (more := stream.read(len(head))):
                break
            head += more
        whole = not stream.read(1)
    if b"\0" in head:
        raise DataError(
            f"{where}: {path.name} must be text in {encoding}, got a NUL byte at byte "
            f"{head.index(0)}; declare its encoding, such as utf-16, or remove the byte"
        )
    text = _as_text(head)
    if text.lower().startswith("sep=") and len(text.split("\n", 1)[0].strip("\r")) == 5:
        raise DataError(
            f"{where}: {path.name} must begin with its header, got the line {text[:5]!r} of Excel; "
            f"delete it and declare the delimiter {text[4]!r}"
        )
    delimiter = dialect.delimiter
    if delimiter is None:
        delimiter = detect.detect_delimiter(text, whole=whole, where=where)
    found = detect.header_of(text, delimiter)
    if not found:
        raise DataError(f"{where}: {path.name} must have a header, got empty lines only")
    if (twice := detect.duplicate(found)) is not None:
        raise DataError(
            f"{where}: columns of {path.name} must have different names, got {twice}; rename them"
        )
    return Layout(found, delimiter, encoding)


def _as_text(head: bytes) -> str:
    return head.decode("utf-8", errors="replace")  # the last character may be cut


def text_batches(
    path: Path, dialect: Dialect, layout: Layout, columns: Sequence[str], *, where: str
) -> Iterator[Any]:
    """Yield the columns of a CSV as record batches of text, in the order of the file.

    Missing values are null.

    Raises
    ------
    DataError
        If a row has more or fewer fields than the header, a quote does not close, a NUL byte or
        another encoding occurs, or the rows that were parsed are not the rows of the file.
    """
    done = 0
    for size in BLOCKS:
        try:
            seen = 0
            for batch in _parsed(path, dialect, layout, columns, size, where):
                seen += batch.num_rows
                new = seen - done
                if new > 0:
                    yield batch.slice(max(batch.num_rows - new, 0))
                    done = seen
            return
        except _LongRowError:
            continue
    raise DataError(
        f"{where}: rows of {path.name} must be shorter than {BLOCKS[-1] >> 20} MiB, got a longer "
        "one; a quote may not close"
    )


class _LongRowError(Exception):
    """Raised when a row is longer than a block."""


class _Counted(io.RawIOBase):
    """A stream whose rows are counted while they are read."""

    def __init__(self, stream: Utf8, delimiter: str) -> None:
        self._stream, self.counter = stream, RowCounter(delimiter)
        self._held = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._held + self._stream.read(size - len(self._held) if size > 0 else size)
        # A block must not end within CR LF: Arrow takes the LF for the rest of a line end, also
        # inside quotes, and leaves it out (apache/arrow issue 51368).
        self._held = b""
        if len(block) > 1 and block.endswith(b"\r") and (after := self._stream.read(1)):
            block, self._held = block[:-1], b"\r" + after
        self.counter.feed(block)
        return block


def _parsed(
    path: Path, dialect: Dialect, layout: Layout, columns: Sequence[str], size: int, where: str
) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import csv as arrow

    text = {name: pa.string() for name in columns}
    read = arrow.ReadOptions(block_size=size)
    parse = arrow.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True)
    convert = arrow.ConvertOptions(
        include_columns=list(columns), column_types=text, null_values=list(dialect.missing),
        strings_can_be_null=True, quoted_strings_can_be_null=True,
    )  # fmt: skip
    rows = 0
    with _readable(path, dialect, where), open_utf8(path, dialect.encoding) as stream:
        counted = _Counted(stream, layout.delimiter)
        try:
            with arrow.open_csv(counted, read, parse, convert) as reader:
                for batch in reader:
                    rows += batch.num_rows
                    yield batch
        except pa.ArrowException as error:
            # Not the counter above: a thread of Arrow may still read ahead.
            _check_fault(path, _count(path, dialect, layout, size), where)
            if any(words in str(error) for words in _TOO_LONG):
                raise _LongRowError from error
            raise _explained(path, dialect, layout, error, where) from error
        counted.counter.finish()
    _check_fault(path, counted.counter, where)
    if (there := counted.counter.rows - 1) != rows:
        raise DataError(
            f"{where}: {path.name} must be read whole, got {rows:,} of {there:,} rows; check its "
            "quotes and line ends"
        )


def _count(path: Path, dialect: Dialect, layout: Layout, size: int) -> RowCounter:
    with open_utf8(path, dialect.encoding) as stream:
        counted = _Counted(stream, layout.delimiter)
        while counted.read(size):
            pass
        counted.counter.finish()
    return counted.counter


def _check_fault(path: Path, counter: RowCounter, where: str) -> None:
    if counter.fault is not None:
        raise DataError(
            f"{where}: {path.name} must be CSV with doubled quotes, got {counter.fault} (the "
            "header is row 0); correct it"
        )


def _explained(
    path: Path, dialect: Dialect, layout: Layout, error: Exception, where: str
) -> DataError:
    """Return the error of a row of another size, of another encoding, or Arrow's own."""
    csv.field_size_limit(sys.maxsize)
    width = len(layout.names)
    with open_utf8(path, dialect.encoding) as stream:
        text = io.TextIOWrapper(io.BufferedReader(stream), encoding="utf-8", newline="")
        try:
            rows = filter(None, csv.reader(text, delimiter=layout.delimiter))
            for number, row in enumerate(rows):
                if len(row) != width:
                    return DataError(
                        f"{where}: rows of {path.name} must have as many fields as the header "
                        f"({width}), got {len(row)} in row {number} (the header is row 0); quote "
                        f"values that hold {layout.delimiter!r}, or declare another delimiter"
                    )
        except UnicodeDecodeError as undecoded:
            return _not_text(path, layout.encoding, undecoded, where)
    sentence = " ".join(str(error).split())[:300]
    return DataError(f"{where}: {path.name} must be a whole table, got: {sentence}")


def _not_text(path: Path, encoding: str, error: UnicodeDecodeError, where: str) -> DataError:
    return DataError(
        f"{where}: {path.name} must be text in {encoding}, got the byte "
        f"0x{error.object[error.start]:02x}; declare its encoding, such as latin-1 or utf-16"
    )


@contextmanager
def _readable(path: Path, dialect: Dialect, where: str) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise _not_text(path, dialect.encoding, error, where) from error
    except (OSError, EOFError, zlib.error, UnicodeError) as error:
        sentence = " ".join(str(error).split())[:300]
        raise DataError(f"{where}: {path.name} must be a whole table, got: {sentence}") from error
