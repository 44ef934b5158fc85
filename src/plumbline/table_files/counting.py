"""The rows of a CSV counted from its bytes, without parsing its fields.

A quote opens a quoted value only at the beginning of a field; inside, two quotes are one. A line
end outside of quotes ends a row; a line without characters is none. This is RFC 4180, and the rule
of the parser that reads the fields; both counts must agree.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_QUOTE, _LINE_FEED, _RETURN = 34, 10, 13
_ENDS = (_LINE_FEED, _RETURN)
_PIECE = 1 << 20  # bytes counted at once: what the caches of a processor hold


def _table(*codes: int) -> npt.NDArray[np.bool_]:
    """Return which of the 256 bytes are among some."""
    found = np.zeros(256, dtype=bool)
    found[list(codes)] = True
    return found


_LINE_ENDS = _table(*_ENDS)


class RowCounter:
    """A count of the rows of a CSV whose bytes come in blocks.

    Parameters
    ----------
    delimiter : str
        One ASCII character.

    Attributes
    ----------
    rows : int
        Rows that have ended, the header among them.
    longest : int
        Bytes of the longest row.
    fault : str or None
        The first fault, as in ``a NUL byte in row 3``. Row 0 is the header.
    """

    def __init__(self, delimiter: str) -> None:
        self.rows, self.longest = 0, 0
        self.fault: str | None = None
        self._field_starts = _table(ord(delimiter), *_ENDS)
        self._field_ends = _table(ord(delimiter), _QUOTE, *_ENDS)
        # The last byte that was counted, and the one that waits for the byte after it.
        self._tail = b"\n"
        self._inside = False  # a quoted value
        self._closed = False  # the last byte closed a quoted value
        self._opened = 0  # row of the last opening quote
        self._length = 0  # bytes of the row so far

    def feed(self, block: bytes) -> None:
        """Count a block, except for its last byte, which waits for the next one."""
        view = memoryview(block)
        for start in range(0, len(block), _PIECE):
            window = self._tail + view[start : start + _PIECE]
            self._count(window)
            self._tail = window[-2:]

    def finish(self) -> None:
        """Count the last byte; a last row needs no line end."""
        if len(self._tail) == 2:
            self._count(self._tail + b"\n")
            self._tail = self._tail[1:]
        if self._inside:
            self._note(f"a quote that opens in row {self._opened} and does not close")
        if self._length:
            self.rows += 1
            self.longest, self._length = max(self.longest, self._length), 0

    def _note(self, fault: str) -> None:
        self.fault = self.fault or fault

    def _count(self, window: bytes) -> None:
        """Count the bytes of a window but for its first and last one."""
        size = len(window) - 2
        if size < 1:
            return
        padded = np.frombuffer(window, dtype=np.uint8)
        here = padded[1:-1]
        ends = np.flatnonzero((here == _LINE_FEED) | (here == _RETURN))
        quotes = self._quotes(padded)
        inside = (np.searchsorted(quotes, ends) + self._inside) % 2 == 1
        ends = ends[~inside]
        # A line end right after a line end closes an empty line, or is the second half of CR LF.
        closing = ends[~_LINE_ENDS[padded[ends]]]
        if (place := window.find(b"\0", 1, -1)) >= 0:
            row = self.rows + int(np.searchsorted(closing, place - 1))
            self._note(f"a NUL byte in row {row}")
        self._place_quotes(padded, quotes, closing)
        self._measure(ends, size)
        self.rows += len(closing)
        self._inside = (len(quotes) + self._inside) % 2 == 1
        self._closed = bool(len(quotes)) and int(quotes[-1]) == size - 1 and not self._inside

    def _measure(self, ends: npt.NDArray[np.int64], size: int) -> None:
        if not len(ends):
            self._length += size
            return
        gaps = np.diff(ends, prepend=-1) - 1
        gaps[0] += self._length
        self.longest = max(self.longest, int(gaps.max()))
        self._length = size - 1 - int(ends[-1])

    def _quotes(self, padded: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        """Return the positions of the quotes that open or close a value."""
        found = np.flatnonzero(padded[1:-1] == _QUOTE)
        opening = found[1 if self._inside else 0 :: 2]
        before = padded[opening]
        starts = self._field_starts[before]
        # Next to the quote that closed: the two are one quote inside a value.
        twin = before == _QUOTE
        if len(opening) and opening[0] == 0:
            twin[0] = self._closed
        if (starts | twin).all():
            return found
        return self._walk(found, padded)

    def _walk(
        self, found: npt.NDArray[np.int64], padded: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.int64]:
        """Return them one by one, where quotes stand within values, which open nothing."""
        starts = self._field_starts[padded[found]].tolist()
        inside, closed = self._inside, -1 if self._closed else -2
        kept = []
        for place, begins in zip(found.tolist(), starts, strict=True):
            if inside:
                closed = place
            elif not begins and closed != place - 1:
                continue
            inside = not inside
            kept.append(place)
        return np.array(kept, dtype=np.int64)

    def _place_quotes(
        self,
        padded: npt.NDArray[np.uint8],
        quotes: npt.NDArray[np.int64],
        closing: npt.NDArray[np.int64],
    ) -> None:
        """Note text after a closing quote, and the row of the last opening one."""
        if not len(quotes):
            return
        first = 0 if self._inside else 1
        shut, opened = quotes[first::2], quotes[1 - first :: 2]
        if len(opened):
            self._opened = self.rows + int(np.searchsorted(closing, opened[-1]))
        wrong = shut[~self._field_ends[padded[shut + 2]]]
        if len(wrong):
            row = self.rows + int(np.searchsorted(closing, wrong[0]))
            self._note(f"text after a closing quote in row {row}")
