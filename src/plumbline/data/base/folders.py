"""Files of a user's folder: hidden and foreign ones are left out, counted and named."""

from __future__ import annotations

import codecs
import logging
from collections import Counter
from collections.abc import Collection
from pathlib import Path

log = logging.getLogger(__name__)

# What editors, archives and file managers leave behind; names that begin with a dot are hidden too.
_LEFT_BEHIND = frozenset({"__macosx", "thumbs.db", "desktop.ini", "__pycache__"})


def list_files(folder: Path, suffixes: Collection[str], *, where: str) -> list[Path]:
    """Return the files below a folder that have one of the endings, in the order of their paths.

    Every other file is counted in a message: hidden ones together, the others by ending.

    Parameters
    ----------
    folder : Path
    suffixes : collection of str
        In lower case, with the dot; capital letters in a name make no difference.
    where : str
        Begins the message.
    """
    hidden, found = 0, []
    foreign: Counter[str] = Counter()
    for path in sorted(folder.rglob("*"), key=lambda p: p.relative_to(folder).as_posix()):
        if not path.is_file():
            continue
        if is_hidden(path.relative_to(folder)):
            hidden += 1
        elif path.suffix.lower() in suffixes:
            found.append(path)
        else:
            foreign[path.suffix.lower() or "no ending"] += 1
    if hidden:
        log.warning("%s: hidden files are left out, such as those of editors: %d", where, hidden)
    if foreign:
        endings = ", ".join(f"{count} {ending}" for ending, count in sorted(foreign.items()))
        known = ", ".join(sorted(suffixes))
        log.warning(
            "%s: files of other endings are left out: %s; those read are %s", where, endings, known
        )  # fmt: skip
    return found


def is_hidden(path: Path) -> bool:
    """Return whether a part of a relative path is hidden, or a left-over of another program."""
    return any(part.startswith(".") or part.lower() in _LEFT_BEHIND for part in path.parts)


def codec(encoding: str) -> str:
    """Return the codec of an encoding that takes a byte-order mark for none of the text."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
