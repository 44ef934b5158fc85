"""Printed numbers and the files that they were read from.

A `Reference` is one value of a JSON file with its file and key. A card is plain Markdown; the
references of its numbers are in a JSON file beside it (`separate`). The report page prints a
reference as a ``<data>`` element. `check_text` and `check_html` compare every printed number with
its file.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from plumbline import artifacts
from plumbline.errors import ArtifactError
from plumbline.reporting.rendering import escape, show

Entry = dict[str, Any]

_MARK = re.compile(r"<!-- ref: (\S+) -->")
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
        Keys that lead to the value inside the file.
    value : JSON value
    form : str
        How the value is printed, see `plumbline.reporting.rendering.show`.
    """

    file: str
    keys: tuple[str | int, ...]
    value: Any
    form: str = ""

    @property
    def key(self) -> str:
        """The keys joined by dots; a dot within a key is percent-encoded."""
        return ".".join(quote(str(key), safe="/@ ").replace(".", "%2E") for key in self.keys)

    def shown(self) -> str:
        """Return the printed text."""
        return show(self.value, self.form)

    def entry(self, line: int, column: int, text: str) -> Entry:
        """Return the reference of a text printed at a line and column, both from 1."""
        return {
            "line": line,
            "column": column,
            "text": text,
            "file": self.file,
            "key": self.key,
            "value": self.value,
            **({"form": self.form} if self.form else {}),
        }

    def markdown(self) -> str:
        """Return the printed text followed by a mark, which `separate` takes out again."""
        packed = quote(json.dumps([self.file, self.keys, self.value, self.form]), safe="")
        return f"{escape(self.shown())}<!-- ref: {packed} -->"

    def __html__(self) -> str:
        """Return a ``<data>`` element; Jinja inserts it without escaping it again."""
        form = f' data-as="{self.form}"' if self.form else ""
        value = quote(json.dumps(self.value, separators=(",", ":")), safe="/,:[]{}")
        place = html.escape(f"{self.file}#{self.key}")
        return f'<data value="{value}" data-ref="{place}"{form}>{html.escape(self.shown())}</data>'


class Book:
    """The JSON files of a repository, read once each.

    Parameters
    ----------
    root : Path
        Folder that every path is relative to.
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


def separate(text: str, *, first_line: int = 1) -> tuple[str, list[Entry]]:
    """Return Markdown without the marks of `Reference.markdown`, and an entry for each of them.

    Parameters
    ----------
    text : str
        Escaped text has no mark of its own, see `plumbline.reporting.rendering.escape`.
    first_line : int
        Line of the text's first line in its file.
    """
    lines, entries = [], []
    for number, line in enumerate(text.split("\n"), first_line):
        plain = ""
        parts = _MARK.split(line)
        for before, packed in zip(parts[::2], [*parts[1::2], ""], strict=True):
            plain += before
            if packed:
                file, keys, value, form = json.loads(unquote(packed))
                found = Reference(file, tuple(keys), value, form)
                printed = escape(found.shown())
                entries.append(found.entry(number, len(plain) - len(printed) + 1, printed))
        lines.append(plain)
    return "\n".join(lines), entries


def check_text(text: str, entries: Iterable[Mapping[str, Any]], root: Path) -> list[str]:
    """Compare every referenced number of a card with its file; return a sentence per mismatch.

    The text at the place of an entry must be the entry's value as it is printed, and that value
    must be the one in the file, to the last digit written there.
    """
    book, faults, lines = Book(root), [], text.split("\n")
    for entry in entries:
        place = f"{entry['file']}#{entry['key']}"
        expected = escape(show(entry["value"], entry.get("form", "")))
        line = lines[entry["line"] - 1] if entry["line"] <= len(lines) else ""
        start = entry["column"] - 1
        end = start + len(expected)
        whole = not re.search(r"[\d.\-]$", line[:start]) and not re.match(r"\d", line[end:])
        if line[start:end] != expected or entry["text"] != expected or not whole:
            got = re.match(r"[^\s,;|\])]*", line[start:])
            shown = got[0] if got and got[0] != expected else line[max(start - 3, 0) : end + 3]
            faults.append(
                f"{place}: line {entry['line']} must show {expected}, got {shown.strip()}"
            )
        faults += _mismatch(book, entry["file"], entry["key"], entry["value"])
    return faults


def check_html(text: str, root: Path) -> list[str]:
    """Compare every ``<data>`` element of the report page with its file; see `check_text`."""
    book, faults = Book(root), []
    for match in _DATA.finditer(text):
        value = json.loads(unquote(match["value"]))
        file, _, key = html.unescape(match["place"]).partition("#")
        shown = html.unescape(match["shown"])
        if shown != (expected := show(value, match["form"] or "")):
            faults.append(f"{file}#{key}: text must be {expected}, got {shown}")
        faults += _mismatch(book, file, key, value)
    return faults


def count_references(page: str) -> int:
    """Return how many references the report page has."""
    return len(_DATA.findall(page))


def _mismatch(book: Book, file: str, key: str, value: Any) -> Iterator[str]:
    try:
        truth = _lookup(book.read(file), [unquote(part) for part in key.split(".") if part])
    except (ArtifactError, KeyError, IndexError, TypeError, ValueError):
        yield f"{file}#{key}: value must exist, got none"
        return
    if json.dumps(truth) != json.dumps(value) and truth != value:
        yield f"{file}#{key}: value must be {json.dumps(truth)}, got {json.dumps(value)}"


def _lookup(content: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        content = content[int(key)] if isinstance(content, list) else content[key]
    return content
