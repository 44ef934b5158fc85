"""The bytes of a text file as UTF-8: unpacked, decoded, without a byte-order mark."""

from __future__ import annotations

import codecs
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

# The longer marks first: that of UTF-16 begins that of UTF-32.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Utf8(io.RawIOBase):
    """A binary stream that reads another one as UTF-8.

    The last line gets a line feed if it has none. UTF-8 is passed on as it is.

    Parameters
    ----------
    raw : file object
    encoding : str
        Of a file without a byte-order mark, which is left out.

    Attributes
    ----------
    encoding : str
        The encoding that is used.
    """

    def __init__(self, raw: BinaryIO, encoding: str) -> None:
        self._raw = raw
        head = raw.read(4)
        self.encoding, skipped = _encoding_of(head, encoding)
        self._start, self._rest, self._ended = head[skipped:], b"", False
        plain = codecs.lookup(self.encoding).name in ("utf-8", "ascii")
        self._decoder = None if plain else codecs.getincrementaldecoder(self.encoding)("strict")
        self._last = b"\n"

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, fewer at the end only.

        Raises
        ------
        UnicodeDecodeError
            If bytes are not of the encoding; those that are UTF-8 already are not looked at.
        """
        parts, there = [self._rest], len(self._rest)
        while not self._ended and (size < 0 or there < size):
            parts.append(self._block(-1 if size < 0 else size - there))
            there += len(parts[-1])
        whole = b"".join(filter(None, parts))
        cut = len(whole) if size < 0 else size
        self._rest = whole[cut:]
        return whole[:cut]

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer and return how much of it."""
        block = self.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)

    def _block(self, size: int) -> bytes:
        block, self._start = self._start + self._raw.read(size), b""
        self._ended = not block
        if self._decoder is not None:
            block = self._decoder.decode(block, final=self._ended).encode("utf-8")
        if self._ended and (block or self._last)[-1:] != b"\n":
            block += b"\n"
        self._last = block[-1:] or self._last
        return block


@contextmanager
def open_utf8(path: Path, encoding: str) -> Iterator[Utf8]:
    """Open a file, unpacked if its name ends in ``.gz``, as a stream of UTF-8."""
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as raw:
        yield Utf8(cast(BinaryIO, raw), encoding)


def text_encoding(path: Path, encoding: str) -> str:
    """Return the encoding to open a text file with: that of its byte-order mark, else the given.

    Python's names with which the mark is no part of the text.
    """
    with path.open("rb") as stream:
        found, skipped = _encoding_of(stream.read(4), encoding)
    if not skipped:
        return encoding
    return "utf-8-sig" if found == "utf-8" else found[: -len("-le")]


def _encoding_of(head: bytes, declared: str) -> tuple[str, int]:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, len(mark)
    return declared, 0
