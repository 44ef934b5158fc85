"""The delimiter of a CSV and its header, from its first rows."""

from __future__ import annotations

import csv
import io
import itertools
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

from plumbline.errors import DataError
from plumbline.table_files.dialect import QUOTE

CANDIDATES = (",", ";", "\t", "|")
_ROWS = 100


def detect_delimiter(head: str, *, whole: bool, where: str) -> str:
    """Return the delimiter of a CSV.

    It is the one of `CANDIDATES` with which the header has two fields or more, and each of the
    first 100 rows as many as the header. If none is, it is the only one in the header outside of
    quotes; without any in the header, the file has one column and the comma is returned.

    Parameters
    ----------
    head : str
        The beginning of the file.
    whole : bool
        Whether it is the whole file; otherwise its last row may be cut and is not used.
    where : str
        Prefix of the error message.

    Raises
    ------
    DataError
        If more than one character could be the delimiter.
    """
    sizes = {one: _sizes(head, one, whole=whole) for one in CANDIDATES}
    splitting = [one for one, found in sizes.items() if found and found[0] > 1]
    fitting = [one for one in splitting if len(set(sizes[one])) == 1] or splitting
    if len(fitting) > 1:
        shown = " or ".join(repr(one) for one in fitting)
        raise DataError(
            f"{where}: delimiter must be clear from the header and the first rows, got {shown}; "
            "declare it (--delimiter, or delimiter in params.yaml)"
        )
    return fitting[0] if fitting else CANDIDATES[0]


def header_of(head: str, delimiter: str) -> tuple[str, ...]:
    """Return the fields of the first row that has any."""
    return tuple(next(filter(None, _rows(head, delimiter)), ()))


def holds_header(head: str, delimiter: str | None) -> bool:
    """Return whether a row comes after the header, whatever the delimiter if there is none."""
    candidates = CANDIDATES if delimiter is None else (delimiter,)
    return all(
        len(list(itertools.islice(filter(None, _rows(head, one)), 2))) == 2 for one in candidates
    )


def duplicate(names: Sequence[str]) -> str | None:
    """Return the first name that occurs more than once, with its places, or None."""
    twice = (name for name, count in Counter(names).items() if count > 1 and name.strip())
    if (name := next(twice, None)) is None:
        return None
    places = (str(number) for number, other in enumerate(names, 1) if other == name)
    return f"{name!r} in columns {', '.join(places)}"


def _sizes(head: str, delimiter: str, *, whole: bool) -> list[int]:
    found: list[int] = []
    for row in _rows(head, delimiter):
        if row:
            found.append(len(row))
        if len(found) == _ROWS + 1:
            return found
    return found if whole or len(found) < 2 else found[:-1]


def _rows(head: str, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(sys.maxsize)  # a document may be long
    return csv.reader(io.StringIO(head, newline=""), delimiter=delimiter, quotechar=QUOTE)
