"""How a CSV file is written: its delimiter, encoding, signs of numbers and missing values."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.errors import DataError

QUOTE = '"'  # doubled inside a quoted value; there is no escape character and no comment
THOUSANDS = (",", ".", " ", "'", "\u2019", "_", "\u00a0", "\u202f")
DECIMALS = (".", ",")


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written; Parquet files need none of it.

    Attributes
    ----------
    delimiter : str or None
        One ASCII character; None to detect it, see `detect.detect_delimiter`.
    encoding : str
        A text encoding that Python knows. A byte-order mark in the file wins over it.
    decimal : str
        Sign before the fraction of a number, ``.`` or ``,``.
    thousands : str or None
        Sign between groups of three digits, one of `THOUSANDS`.
    missing : tuple of str
        Values that stand for a missing one, quoted or not.

    Raises
    ------
    DataError
        If a value is not one of these.
    """

    delimiter: str | None = None
    encoding: str = "utf-8"
    decimal: str = "."
    thousands: str | None = None
    missing: tuple[str, ...] = ("",)

    def __post_init__(self) -> None:
        found = dialect_fault(self.delimiter, self.encoding, self.decimal, self.thousands)
        if found is not None:
            raise DataError(f"table: {found}")


def dialect_fault(
    delimiter: str | None, encoding: str, decimal: str, thousands: str | None
) -> str | None:
    """Return what is wrong with a dialect, ``<thing> must be <rule>, got <value>``, or None."""
    if delimiter is not None and (
        len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0'
    ):
        return f"delimiter must be one ASCII character, no quote and no line end, got {delimiter!r}"
    if not is_text_encoding(encoding):
        return f"encoding must be one of text that Python knows, got {encoding!r}"
    if decimal not in DECIMALS:
        return f"decimal must be '.' or ',', got {decimal!r}"
    if thousands is not None and thousands not in THOUSANDS:
        return f"thousands must be one of {list(THOUSANDS)}, got {thousands!r}"
    if thousands == decimal:
        return f"thousands must be another sign than decimal, got {decimal!r} for both"
    return None


def is_text_encoding(encoding: str) -> bool:
    """Return whether Python knows an encoding of text of this name; ``hex`` is none."""
    try:
        "".encode(encoding)
        b"".decode(encoding)
    except (LookupError, ValueError):
        return False
    return True


PLAIN = Dialect()  # with a delimiter that is detected
