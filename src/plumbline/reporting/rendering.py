"""Render values and tables for Markdown and HTML pages.

Names that come from data are escaped, so that they can neither format a page nor run anything.
This module imports nothing heavy: stages that write a page depend on it.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plumbline import names
from plumbline.artifacts.plain_text import visible

_BLANKS = re.compile(r"[^\S\u202f]+")  # all but the narrow no-break space inside numbers
_SPECIAL = re.compile(r"([\\`*_{}\[\]|~#$])")
_WORDS = {
    names.FID: "Fréchet distance",
    names.FID_INFINITY: "extrapolated Fréchet distance",
    names.KID: "kernel distance",
    names.AUROC: "AUROC",
    names.BRIER: "Brier score (0 to 1)",
    names.F1_MACRO: "macro F1",
    names.F1: "F1",
    names.R2: "R²",
}


class Safe(str):
    """Markdown that is inserted as it is."""

    __slots__ = ()


def escape(text: object) -> Safe:
    """Return text that Markdown, HTML inside Markdown and table cells show as it was.

    White space collapses to single blanks; addresses do not become links; characters that cannot be
    seen are escape sequences.
    """
    if isinstance(text, Safe):
        return text
    line = visible(_BLANKS.sub(" ", str(text)).strip())
    line = _SPECIAL.sub(r"\\\1", html.escape(line, quote=False))
    line = line.replace("://", ":&#47;&#47;").replace("www.", "www&#46;").replace("@", "&#64;")
    return Safe(line)


def code(text: object) -> Safe:
    """Return a code span, or escaped text where a code span could be broken out of."""
    line = visible(text)
    if re.search(r"[`<>|\n\r]|^\s|\s$|^$", line):
        return escape(line)
    return Safe(f"`{line}`")


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> Safe:
    """Return a pipe table; cells are escaped unless they are `Safe`."""

    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join(escape(cell) for cell in cells) + " |"

    rule = "|" + " --- |" * len(header)
    return Safe("\n".join([line(header), rule, *(line(row) for row in rows)]))


def bullets(lines: Iterable[object]) -> Safe:
    """Return a list; its lines are escaped unless they are `Safe`."""
    return Safe("\n".join(f"- {escape(line)}" for line in lines))


def page(parts: Iterable[str]) -> str:
    """Return Markdown of paragraphs, headings and tables; empty parts are left out."""
    return "\n\n".join(part for part in parts if part) + "\n"


def words(name: str) -> str:
    """Return a name as words: ``true_positive_rate`` → ``true positive rate``.

    The part after a slash, an extractor or a class, is put into brackets.
    """
    quantity, _, detail = name.partition("/")
    text = _WORDS.get(quantity, quantity.replace("_", " "))
    return f"{text} ({detail.replace('_', ' ')})" if detail else text


def show(value: Any, form: str = "") -> str:
    """Return the printed form of a JSON value.

    Numbers keep three decimals, large ones fewer, small ones two significant digits; an undefined
    value reads "undefined"; of text every character can be seen.

    Parameters
    ----------
    value : JSON value
    form : {'', 'percent', 'exact', 'yaml'}
        ``exact``: all digits of a number; ``yaml``: as PyYAML writes it.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "undefined"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(show(item, form) for item in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {show(item, form)}" for key, item in value.items()) or "none"
    return visible(value) if isinstance(value, str) else _number(value, form)


def _number(value: float, form: str) -> str:
    if form == "percent":
        return f"{100 * value:.4g} %"
    if form == "yaml":
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f")  # narrow no-break space
    if form == "exact":
        return f"{value:.10g}"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if 0 < size < 0.01:
        return f"{value:.2g}"
    return f"{value:.{3 if size < 10 else 2 if size < 100 else 1}f}"


def interval(row: Mapping[str, Any]) -> Safe:
    """Return ``[low, high]`` of an estimate, nothing without a value or an end.

    One end that is undefined is no bound.
    """
    low, high = (_known(row[key]) for key in ("low", "high"))
    if _known(row["value"]) is None or (low is None and high is None):
        return Safe("")
    left = "(-∞" if low is None else f"[{show(low)}"
    right = "∞)" if high is None or math.isinf(high) else f"{show(high)}]"
    return Safe(f"{left}, {right}")


def estimate(row: Mapping[str, Any]) -> Safe:
    """Return an estimate with its interval: ``value [low, high]``."""
    return Safe(f"{show(row['value'])} {interval(row)}".strip())


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
