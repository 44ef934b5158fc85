"""Numbers as text: which texts are numbers in a dialect, and which of them mean one."""

from __future__ import annotations

import re
from typing import Any

from plumbline.table_files.dialect import Dialect

_SPECIAL = r"[Ii][Nn][Ff](?:[Ii][Nn][Ii][Tt][Yy])?|[Nn][Aa][Nn]"
# Codes such as postcodes: "01067", "-007", "00.5".
LEADING_ZERO = r"^\s*[+-]?0[0-9]"
_LONG = 16  # digits; 2**53 has so many
LONG_INTEGER = rf"^\s*[+-]?[0-9]{{{_LONG},}}\s*$"


def number_pattern(dialect: Dialect) -> str:
    """Return the regular expression of a number, for RE2 and for Python.

    Digits, in groups of three if there is a sign for thousands, then a fraction and an exponent;
    or ``inf``, ``infinity`` and ``nan``. There are no other letters, so ``1_0`` and ``0x10`` are
    none.
    """
    point, whole = re.escape(dialect.decimal), "[0-9]+"
    if dialect.thousands is not None:
        sign = re.escape(dialect.thousands)
        whole = rf"(?:[1-9][0-9]{{0,2}}(?:{sign}[0-9]{{3}})+|[0-9]+)"
    fraction = rf"{whole}(?:{point}[0-9]*)?|{point}[0-9]+"
    return rf"^\s*[+-]?(?:(?:{fraction})(?:[eE][+-]?[0-9]+)?|{_SPECIAL})\s*$"


def parse_numbers(column: Any, dialect: Dialect) -> tuple[Any, Any]:
    """Return the numbers of a text column, and which of its values are none.

    Parameters
    ----------
    column : Array of string
    dialect : Dialect

    Returns
    -------
    numbers : Array of float64
        Null for a missing value, for ``nan`` and for a text that is no number.
    wrong : Array of bool
        Whether a value is a text that is no number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pc.cast(column, pa.string())
    plain = dialect.decimal == "." and dialect.thousands is None
    if plain:
        try:  # Arrow's numbers are those of the pattern, and this is ten times as fast
            return _known(pc.cast(pc.ascii_trim_whitespace(column), pa.float64())), _none(column)
        except pa.ArrowInvalid:
            pass
    fits = pc.fill_null(pc.match_substring_regex(column, number_pattern(dialect)), True)
    text = pc.utf8_trim_whitespace(pc.if_else(fits, column, pa.scalar(None, pa.string())))
    if dialect.thousands is not None:
        text = pc.replace_substring(text, dialect.thousands, "")
    if dialect.decimal != ".":
        text = pc.replace_substring(text, dialect.decimal, ".")
    return _known(pc.cast(text, pa.float64())), pc.invert(fits)


def are_numbers(column: Any, dialect: Dialect) -> bool:
    """Return whether every value of a text column is a number, and means no more than one.

    A text with leading zeros is a code, and so is a whole number beyond 2**53 that no float64
    holds.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pc.ascii_trim_whitespace(pc.cast(column, pa.string()))
    _, wrong = parse_numbers(column, dialect)
    # Sign, zero and the digit after it: of few texts, where the pattern is slow.
    beginnings = pc.unique(pc.utf8_slice_codeunits(column, 0, 3))
    zeros = pc.match_substring_regex(beginnings, LEADING_ZERO)
    if pc.any(wrong).as_py() or pc.any(zeros).as_py():
        return False
    if (pc.max(pc.binary_length(column)).as_py() or 0) < _LONG:
        return True
    if dialect.thousands is not None:
        column = pc.replace_substring(column, dialect.thousands, "")
    long = pc.unique(column.filter(pc.match_substring_regex(column, LONG_INTEGER))).to_pylist()
    return all(int(value) == int(float(value)) for value in long)


def _known(numbers: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)


def _none(column: Any) -> Any:
    import pyarrow as pa

    return pa.repeat(False, len(column))
