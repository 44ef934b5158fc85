"""Documents from files: the user's text in any encoding, and Tiny Shakespeare."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.data.base import folders
from plumbline.data.base.sources import located, raw_folder
from plumbline.data.text.docstrings import Document
from plumbline.errors import DataError
from plumbline.table_files import Dialect, read_batches
from plumbline.table_files.streams import text_encoding

if TYPE_CHECKING:
    from plumbline.params.own_data import TextFile

PASSAGE_CHARACTERS = 2_000  # Tiny Shakespeare is cut between speeches, after at least so many
UNGROUPED = ""


def read_user_documents(own: TextFile, *, root: Path = Path()) -> list[Document]:
    """Return the documents of the user's file or folder, in its order.

    Raises
    ------
    DataError
        If the bytes are not of the declared encoding or format, or a document has no text or group.
    """
    path = located(own.path, root)
    try:
        found = list(_READERS[own.format](path, own))
    except UnicodeDecodeError as error:
        raise _not_decoded(path.name, own, error) from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"file: {path.name} must be {own.format}, got: {error}") from error
    folders.check_spelling((d.group for d in found), f"file: values of {own.attribute!r}")
    for document in found:
        try:
            document.text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise DataError(
                f"file: {document.name} must be text, got half a character (a lone surrogate)"
            ) from error
    return found


def _not_decoded(name: str, own: TextFile, error: UnicodeDecodeError) -> DataError:
    return DataError(
        f"file: {name} must be text in {own.encoding}, got {error.reason} at byte {error.start}; "
        "declare another encoding"
    )


def read_shakespeare(root: Path = Path()) -> list[Document]:
    """Return Tiny Shakespeare as passages of whole speeches, in the order of the file."""
    text = (raw_folder("tinyshakespeare", root) / "input.txt").read_text(encoding="utf-8")
    passages, speeches, size = [], [], 0
    for speech in text.split("\n\n"):
        speeches.append(speech.strip("\n"))
        size += len(speech)
        if size >= PASSAGE_CHARACTERS:
            passages.append("\n\n".join(speeches))
            speeches, size = [], 0
    passages += ["\n\n".join(speeches)] if size else []
    names = (f"tinyshakespeare-{number:04d}" for number in range(len(passages)))
    return [Document(name, UNGROUPED, text) for name, text in zip(names, passages, strict=True)]


def _plain(path: Path, own: TextFile) -> Iterator[Document]:
    text = path.read_text(encoding=text_encoding(path, own.encoding))
    for number, part in enumerate(text.split(own.separator)):
        if part.strip():
            yield Document(f"file-{number:06d}", UNGROUPED, part.strip("\n"))


def _folder(path: Path, own: TextFile) -> Iterator[Document]:
    if not path.is_dir():
        raise DataError(f"file: {path.name} must be a folder, got a file; choose another format")
    for file in folders.list_files(path, {".txt"}, where="file"):
        name = file.relative_to(path)
        group = name.parts[0] if len(name.parts) > 1 else UNGROUPED
        if own.attribute is not None and group == UNGROUPED:
            raise DataError(f"file: {name} must lie in a subfolder that names its {own.attribute}")
        try:
            text = file.read_text(encoding=text_encoding(file, own.encoding))
        except UnicodeDecodeError as error:
            raise _not_decoded(name.as_posix(), own, error) from error
        yield Document(name.as_posix(), group, text)


def _jsonl(path: Path, own: TextFile) -> Iterator[Document]:
    with path.open(encoding=text_encoding(path, own.encoding)) as stream:
        for number, line in enumerate(stream):
            if line.strip():
                yield _record(json.loads(line, object_pairs_hook=_distinct), number, own)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):  # JSON would take the last of them
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"key {twice!r} twice in one record; rename one")
    return record


def _csv(path: Path, own: TextFile) -> Iterator[Document]:
    wanted = [own.text] + ([own.attribute] if own.attribute is not None else [])
    dialect = Dialect(encoding=own.encoding, missing=())
    rows = (
        row
        for batch in read_batches(path, dialect, wanted, where="file")
        for row in batch.to_pylist()
    )
    for number, row in enumerate(rows):
        yield _record(row, number, own)


def _record(row: Any, number: int, own: TextFile) -> Document:
    wanted = [own.text] + ([own.attribute] if own.attribute is not None else [])
    values: list[str] = []
    for key in wanted:
        value = row.get(key) if isinstance(row, dict) else None
        if not isinstance(value, str) or not value.strip():
            raise DataError(
                f"file: record {number} must have text in {key!r}, got {value!r:.40}; correct it"
            )
        values.append(value)
    return Document(f"file-{number:06d}", values[1] if len(values) > 1 else UNGROUPED, values[0])


_READERS = {"plain": _plain, "folder": _folder, "jsonl": _jsonl, "csv": _csv}
