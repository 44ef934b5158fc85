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
        self._delimiter = ord(delimiter)
        self._last = b"\n"  # the byte before the ones to be counted
        self._held = b""  # the last byte, which waits for the one after it
        self._inside = False  # a quoted value
        self._closed = False  # the last byte closed a quoted value
        self._opened = 0  # row of the last opening quote
        self._length = 0  # bytes of the row so far

    def feed(self, block: bytes) -> None:
        """Count a block, except for its last byte, which waits for the next one."""
        if not block:
            return
        data = self._held + block
        self._count(data[:-1], data[-1])
        self._held = data[-1:]

    def finish(self) -> None:
        """Count the last byte; a last row needs no line end."""
        if self._held:
            self._count(self._held, _LINE_FEED)
            self._held = b""
        if self._inside:
            self._note(f"a quote that opens in row {self._opened} and does not close")
        if self._length:
            self.rows += 1
            self.longest, self._length = max(self.longest, self._length), 0

    def _note(self, fault: str) -> None:
        self.fault = self.fault or fault

    def _count(self, data: bytes, after: int) -> None:
        if not data:
            return
        padded = np.frombuffer(self._last + data + bytes([after]), dtype=np.uint8)
        here = padded[1:-1]
        ends = np.flatnonzero((here == _LINE_FEED) | (here == _RETURN))
        quotes = self._quotes(padded, data) if b'"' in data else np.empty(0, dtype=np.int64)
        inside = (np.searchsorted(quotes, ends) + self._inside) % 2 == 1
        ends = ends[~inside]
        # A line end right after a line end closes an empty line, or is the second half of CR LF.
        closing = ends[~np.isin(padded[ends], _ENDS)]
        if b"\0" in data:
            row = self.rows + int(np.searchsorted(closing, data.index(b"\0")))
            self._note(f"a NUL byte in row {row}")
        self._place_quotes(padded, quotes, closing)
        self._measure(ends, len(data))
        self.rows += len(closing)
        self._inside = (len(quotes) + self._inside) % 2 == 1
        self._closed = bool(len(quotes)) and int(quotes[-1]) == len(data) - 1 and not self._inside
        self._last = data[-1:]

    def _measure(self, ends: npt.NDArray[np.int64], size: int) -> None:
        if not len(ends):
            self._length += size
            return
        gaps = np.diff(ends, prepend=-1) - 1
        gaps[0] += self._length
        self.longest = max(self.longest, int(gaps.max()))
        self._length = size - 1 - int(ends[-1])

    def _quotes(self, padded: npt.NDArray[np.uint8], data: bytes) -> npt.NDArray[np.int64]:
        """Return the positions of the quotes that open or close a value."""
        found = np.flatnonzero(padded[1:-1] == _QUOTE)
        opening = found[1 if self._inside else 0 :: 2]
        before = padded[opening]
        starts = self._begins(before)
        # Next to the quote that closed: the two are one quote inside a value.
        twin = before == _QUOTE
        if len(opening) and opening[0] == 0:
            twin[0] = self._closed
        if (starts | twin).all():
            return found
        return self._walk(found, padded)

    def _begins(self, before: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        return np.isin(before, (self._delimiter, *_ENDS))

    def _walk(
        self, found: npt.NDArray[np.int64], padded: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.int64]:
        """Return them one by one, where quotes stand within values, which open nothing."""
        starts = self._begins(padded[found]).tolist()
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
        after = padded[shut + 2]
        wrong = shut[~np.isin(after, (self._delimiter, _QUOTE, *_ENDS))]
        if len(wrong):
            row = self.rows + int(np.searchsorted(closing, wrong[0]))
            self._note(f"text after a closing quote in row {row}")
