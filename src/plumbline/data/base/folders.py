"""Files of a user's folder: hidden and foreign ones are left out, counted and named."""

from __future__ import annotations

import logging
import os
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from plumbline.errors import DataError

log = logging.getLogger(__name__)

# What editors, archives and file managers leave behind; names that begin with a dot are hidden too.
_LEFT_BEHIND = frozenset({"__macosx", "thumbs.db", "desktop.ini", "__pycache__"})


def list_files(folder: Path, suffixes: Collection[str], *, where: str) -> list[Path]:
    """Return the files below a folder that have one of the endings, in the order of their paths.

    Everything else is counted in a message: what is hidden together, other files by ending, and
    what is no file, such as links to folders, which are not followed.

    Parameters
    ----------
    folder : Path
    suffixes : collection of str
        In lower case, with the dot; capital letters in a name make no difference.
    where : str
        Begins the messages.

    Raises
    ------
    DataError
        If a subfolder cannot be read, a link leads out of the folder, or the name of a file that is
        used is no text.
    """
    hidden, odd, found = 0, 0, []
    foreign: Counter[str] = Counter()
    for name in sorted(_entries(folder, where), key=Path.as_posix):
        refuse_link(folder / name, folder, where=where)
        if is_hidden(name):
            hidden += 1
        elif not (folder / name).is_file():
            odd += 1
        elif name.suffix.lower() in suffixes:
            _check_name(name.as_posix(), where)
            found.append(folder / name)
        else:
            foreign[name.suffix.lower() or "no ending"] += 1
    if hidden:
        log.warning("%s: hidden files are left out, such as those of editors: %d", where, hidden)
    if odd:
        log.warning(
            "%s: links to folders, links without a target and pipes are left out: %d; put files in "
            "their place", where, odd,
        )  # fmt: skip
    if foreign:
        shown = ((ascii(ending)[1:-1], count) for ending, count in sorted(foreign.items()))
        endings = ", ".join(f"{count} {ending}" for ending, count in shown)
        known = ", ".join(sorted(suffixes))
        log.warning(
            "%s: files of other endings are left out: %s; those read are %s", where, endings, known
        )  # fmt: skip
    return found


def refuse_link(path: Path, folder: Path, *, where: str) -> None:
    """Refuse a path below a folder that leads out of it.

    Raises
    ------
    DataError
        If the path or a folder on its way is such a link.
    """
    # os.path, for pathlib raises an error of its own for a link to itself.
    place, home = os.path.realpath(path), os.path.realpath(folder)
    if place != home and not place.startswith(os.path.join(home, "")):
        raise DataError(
            f"{where}: {path.relative_to(folder).as_posix()!r} must lie inside the folder, got a "
            "link that leads out of it; copy the file"
        )


def _entries(folder: Path, where: str) -> Iterator[Path]:
    """Yield the relative paths of what lies below a folder, but for its subfolders."""

    def refuse(error: OSError) -> NoReturn:
        name = os.path.relpath(error.filename, folder)
        raise DataError(
            f"{where}: every subfolder must be readable, got {name!r}: {error.strerror}; change "
            "its permissions"
        ) from error

    # Path.rglob passes over a folder that it may not read, without a word.
    for place, subfolders, files in os.walk(folder, onerror=refuse):
        here = Path(place).relative_to(folder)
        links = (name for name in subfolders if os.path.islink(os.path.join(place, name)))
        yield from (here / name for name in (*files, *links))


def _check_name(name: str, where: str) -> None:
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise DataError(
            f"{where}: file names must be UTF-8 without control characters, got {name!r}; rename it"
        )


def check_spelling(values: Iterable[str], where: str) -> None:
    """Refuse values that are one text in two Unicode forms: they look alike and are not equal.

    Parameters
    ----------
    values : iterable of str
    where : str
        Begins the message and names the values.

    Raises
    ------
    DataError
        If two values are equal in form NFC, as ``é`` of one and of two characters are.
    """
    forms: dict[str, str] = {}
    for value in values:
        twin = forms.setdefault(unicodedata.normalize("NFC", value), value)
        if twin != value:
            raise DataError(
                f"{where} must be in one Unicode form, got {twin!a} and {value!a}, which "
                "look the same; rename one"
            )


def is_hidden(path: Path) -> bool:
    """Return whether a part of a relative path is hidden, or a left-over of another program."""
    return any(part.startswith(".") or part.lower() in _LEFT_BEHIND for part in path.parts)
