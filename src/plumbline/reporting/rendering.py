"""Text made safe for Markdown: names from data can neither format nor run anything."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

_BLANKS = re.compile(r"[^\S\u202f]+")  # all but the narrow no-break space inside numbers
_SPECIAL = re.compile(r"([\\`*_{}\[\]|~#$])")


class Safe(str):
    """Markdown that is inserted as it is."""

    __slots__ = ()


def escape(text: object) -> Safe:
    """Return text that Markdown, HTML inside Markdown and table cells show as it was.

    White space collapses to single blanks; addresses do not become links.
    """
    if isinstance(text, Safe):
        return text
    line = _BLANKS.sub(" ", str(text)).strip()
    line = _SPECIAL.sub(r"\\\1", html.escape(line, quote=False))
    line = line.replace("://", ":&#47;&#47;").replace("www.", "www&#46;").replace("@", "&#64;")
    return Safe(line)


def code(text: object) -> Safe:
    """Return a code span, or escaped text where a code span could be broken out of."""
    line = str(text)
    if re.search(r"[`<>|\n\r]|^\s|\s$|^$", line):
        return escape(line)
    return Safe(f"`{line}`")


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> Safe:
    """Return a pipe table; cells are escaped unless they are `Safe`."""

    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join(escape(cell) for cell in cells) + " |"

    rule = "|" + " --- |" * len(header)
    return Safe("\n".join([line(header), rule, *(line(row) for row in rows)]))
