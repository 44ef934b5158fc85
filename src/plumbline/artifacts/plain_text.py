"""Text from data, made safe to print: on a terminal, in a page, in a CSV cell, in JSON.

A name of a group may hold an escape sequence that a terminal obeys, a control of writing direction
that shows letters in another order, a character that nobody sees, or the beginning of a formula
that a spreadsheet runs. None of them is dropped: each is written so that a reader sees it.

Sources
-------
CSV: OWASP, "CSV Injection". Characters: Unicode Standard Annex 9 (writing direction), Technical
Standard 39 (security; section 3.1.1 on joiners).
"""

from __future__ import annotations

import json
import re
import unicodedata

# Letters and marks that no font shows, though Unicode does not call them controls: fillers, a
# joiner of marks, the blank of Braille, inherent vowels of Khmer.
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
_OUTSIDE_ASCII = re.compile(r"[^ -~]")
# Between letters of Arabic and Indic scripts a joiner (U+200C, U+200D) is a matter of spelling.
_JOINED = re.compile(r"(?<=[\u0600-\u0dff])[\u200c\u200d](?=[\u0600-\u0dff])")
# At the start of a cell, and after a semicolon, which separates cells in half of the world.
_FORMULA = re.compile(r"(^|;)(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")


def visible(text: object, *, keep: str = "") -> str:
    r"""Return text in which every character that cannot be seen is its escape sequence.

    Controls, controls of writing direction, other format characters, line and paragraph
    separators, surrogates, and code points without a character; not blanks of any width.

    Parameters
    ----------
    text : object
        What is no text is written as text.
    keep : str
        Controls that stay as they are: ``"\n"`` of a page.

    Examples
    --------
    >>> visible("a\u202eb\x1b[2J")
    'a\\u202eb\\x1b[2J'
    """
    shown = str(text)
    if shown.isascii() and shown.isprintable():
        return shown
    joined = {found.start() for found in _JOINED.finditer(shown)}

    def one(found: re.Match[str]) -> str:
        letter = found[0]
        kept = letter in keep or found.start() in joined or _is_seen(letter)
        return letter if kept else letter.encode("unicode_escape").decode()

    return _OUTSIDE_ASCII.sub(one, shown)


def line(text: object) -> str:
    """Return text as one line, for a terminal: blanks of all kinds are one blank, and `visible`."""
    return visible(" ".join(str(text).split()))


def csv_cell(text: str) -> str:
    """Return the text of a CSV cell, which no spreadsheet takes for a formula, and `visible`.

    An apostrophe goes before what would begin a formula, as spreadsheets themselves mark text.

    Examples
    --------
    >>> csv_cell("=1+1"), csv_cell("-5 to 0"), csv_cell("a-b")
    ("'=1+1", "'-5 to 0", 'a-b')
    """
    return visible(_FORMULA.sub(r"\1'", text))


def visible_json(text: str) -> str:
    """Return JSON text with the same content, in which characters that cannot be seen are escaped.

    Unlike the other forms this one loses nothing: a reader of JSON gets the characters back.
    """

    def one(found: re.Match[str]) -> str:
        letter = found[0]
        return letter if letter == "\n" or _is_seen(letter) else json.dumps(letter)[1:-1]

    return _OUTSIDE_ASCII.sub(one, text)


def _is_seen(letter: str) -> bool:
    blank = unicodedata.category(letter) == "Zs"
    return (letter.isprintable() or blank) and letter not in _BLANK
