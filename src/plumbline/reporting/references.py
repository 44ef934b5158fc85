"""Numbers that remember where they stand.

A `Reference` is one value of a JSON file together with the file and the key. Cards print it as text
followed by an HTML comment, the report page as a ``<data>`` element; `check_markdown` and
`check_html` look every value up again and name those that no longer agree with their file.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from plumbline import artifacts
from plumbline.errors import ArtifactError
from plumbline.reporting.rendering import escape, show

_COMMENT = re.compile(r"<!-- ref: (?P<place>\S+) = (?P<value>\S+)(?: as (?P<form>\w+))? -->")
_YAML = re.compile(r"^ *value: (?P<shown>\S+)  # ref: (?P<place>\S+)$", re.MULTILINE)
_DATA = re.compile(
    r'<data value="(?P<value>[^"]*)" data-ref="(?P<place>[^"]*)"'
    r'(?: data-as="(?P<form>\w+)")?>(?P<shown>[^<]*)</data>'
)


@dataclass(frozen=True)
class Reference:
    """One value of a JSON file.

    Attributes
    ----------
    file : str
        Path relative to the repository root.
    keys : tuple of (str or int)
        The way to the value inside the file.
    value : JSON value
    form : {'', 'percent', 'exact'}
        How the value is printed; '' rounds a number to what a reader needs.
    """

    file: str
    keys: tuple[str | int, ...]
    value: Any
    form: str = ""

    def place(self) -> str:
        """Return ``file#key.key``, free of white space, quotes and comment ends."""
        way = (_quoted(str(key)).replace(".", "%2E") for key in self.keys)
        return f"{_quoted(self.file)}#{'.'.join(way)}"

    def shown(self) -> str:
        """Return the text that stands for the value."""
        return show(self.value, self.form)

    def markdown(self) -> str:
        """Return the text followed by a comment that names the value's place."""
        form = f" as {self.form}" if self.form else ""
        comment = f"<!-- ref: {self.place()} = {_packed(self.value)}{form} -->"
        return f"{escape(self.shown())}{comment}"

    def __html__(self) -> str:
        """Return a ``<data>`` element; Jinja inserts it without escaping it again."""
        form = f' data-as="{self.form}"' if self.form else ""
        return (
            f'<data value="{_packed(self.value)}" data-ref="{self.place()}"{form}>'
            f"{html.escape(self.shown())}</data>"
        )


class Book:
    """The JSON files of a repository, read once each.

    Parameters
    ----------
    root : Path
        Folder that every path in the book is relative to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._pages: dict[str, Any] = {}

    def read(self, file: Path | str) -> Any:
        """Return the content of a JSON file."""
        name = Path(file).as_posix()
        if name not in self._pages:
            self._pages[name] = artifacts.read_json(self.root / name)
        return self._pages[name]

    def has(self, file: Path | str) -> bool:
        """Return whether the file exists."""
        return (self.root / file).is_file()

    def at(self, file: Path | str, *keys: str | int, form: str = "") -> Reference:
        """Return the value at ``keys`` of a file.

        Raises
        ------
        ArtifactError
            If the file has no such key.
        """
        value = self.read(file)
        name = Path(file).as_posix()
        for key in keys:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError) as error:
                way = ".".join(str(k) for k in keys)
                raise ArtifactError(
                    f"{name}: key must exist, got no {way}; run the stage that writes this file"
                ) from error
        return Reference(name, keys, value, form)


def check_markdown(text: str, root: Path) -> list[str]:
    """Look up every reference of a card; return one sentence per disagreement.

    A printed value must be the one its comment holds, and the comment's value the one in the file,
    to the last digit written there; the same for the values of the YAML front matter.
    """
    book, faults = Book(root), []
    front, body = _parts(text)
    for match in _COMMENT.finditer(body):
        value = _unpacked(match["value"])
        before = body[: match.start()]
        expected = escape(show(value, match["form"] or ""))
        if not before.endswith(expected) or re.search(r"[\d.\-]$", before[: -len(expected)]):
            got = before[-max(len(expected), 1) :].strip()
            faults.append(f"{unquote(match['place'])}: text must be {expected}, got {got}")
        faults += _disagreement(book, match["place"], value)
    for match in _YAML.finditer(front):
        faults += _disagreement(book, match["place"], float(match["shown"]))
    return faults


def check_html(text: str, root: Path) -> list[str]:
    """Look up every ``<data>`` element of the report page; see `check_markdown`."""
    book, faults = Book(root), []
    for match in _DATA.finditer(text):
        value = _unpacked(match["value"])
        shown = html.unescape(match["shown"])
        if shown != (expected := show(value, match["form"] or "")):
            faults.append(f"{unquote(match['place'])}: text must be {expected}, got {shown}")
        faults += _disagreement(book, match["place"], value)
    return faults


def count_references(text: str) -> int:
    """Return how many references a card or page holds."""
    front, body = _parts(text)
    pairs = ((_YAML, front), (_COMMENT, body), (_DATA, body))
    return sum(1 for pattern, part in pairs for _ in pattern.finditer(part))


def _parts(text: str) -> tuple[str, str]:
    # Front matter and body: a name from the data can look like either's references in the other.
    head = re.match(r"---\n.*?^---\n", text, re.DOTALL | re.MULTILINE)
    return (head[0], text[head.end() :]) if head else ("", text)


def _disagreement(book: Book, place: str, value: Any) -> Iterator[str]:
    file, _, way = place.partition("#")
    try:
        truth = book.read(unquote(file))
        for part in filter(None, way.split(".")):
            key = unquote(part)
            truth = truth[int(key)] if isinstance(truth, list) else truth[key]
    except (ArtifactError, KeyError, IndexError, TypeError, ValueError):
        yield f"{unquote(place)}: value must exist, got none"
        return
    if json.dumps(truth) != json.dumps(value) and truth != value:
        yield f"{unquote(place)}: value must be {json.dumps(truth)}, got {json.dumps(value)}"


def _quoted(text: str) -> str:
    return quote(text, safe="/@").replace("--", "%2D-")  # two hyphens would end a comment


def _packed(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return quote(text, safe="/,:[]{}").replace("--", "%2D-")


def _unpacked(text: str) -> Any:
    return json.loads(unquote(text))
