"""Reading and writing of files: atomic, and reproducible to the byte."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.artifacts.plain_text import visible_json
from plumbline.errors import ArtifactError

if TYPE_CHECKING:
    import pandas as pd

_META_KEY = b"plumbline"


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a sibling of ``path`` to write to; it replaces ``path`` only if all went well.

    The file has the permissions that the umask gives. File and folder are flushed to the disk, so
    that a power failure leaves the old content or the new one, never an empty file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name[-100:]}.{secrets.token_hex(4)}{path.suffix}"
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems cannot flush a folder; a full disk must be told.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically; line ends stay line feeds on every system."""
    with atomic(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def digest(
    path: Path, algorithm: str = "sha256", *, leave_out: Callable[[Path], bool] | None = None
) -> str:
    """Return the hex digest of a file, or of a folder's sorted (relative path, digest) pairs.

    ``leave_out`` says of a relative path whether it is no part of the folder; by default only
    ``__pycache__`` is not.
    """
    if path.is_dir():
        named = ((file, file.relative_to(path)) for file in path.rglob("*") if file.is_file())
        parts = sorted(
            f"{name.as_posix()}\0{digest(file, algorithm)}\n"
            for file, name in named
            if "__pycache__" not in name.parts and not (leave_out and leave_out(name))
        )
        return hashlib.new(algorithm, os.fsencode("".join(parts))).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def existing(path: Path) -> Path:
    """Return ``path`` if it is a file.

    Raises
    ------
    ArtifactError
        If it is not.
    """
    if not path.is_file():
        raise ArtifactError(
            f"{path.name}: file must exist, got none at {path.parent.as_posix()}/; "
            "run the stage that makes it"
        )
    return path


def plain(value: Any) -> Any:
    """Return ``value`` as JSON types: floats at 10 significant digits, NaN and ±inf as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (bool, str)) or value is None:
        return value
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return plain(value.tolist())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return float(f"{value:.10g}") if math.isfinite(value) else None
    if hasattr(value, "__dataclass_fields__"):
        return plain(asdict(value))
    raise TypeError(f"artifacts.plain: value must be JSON-like, got {type(value).__name__}")


def dump_json(value: Any) -> str:
    """Return ``value`` as JSON: sorted keys, two spaces, undefined numbers as null.

    Characters that cannot be seen are escaped, so that a terminal shows the file as it is.
    """
    text = json.dumps(plain(value), sort_keys=True, indent=2, ensure_ascii=False)
    return visible_json(text) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write `dump_json` of ``value`` atomically."""
    write_text(path, dump_json(value))


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    try:
        return json.loads(existing(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ArtifactError(f"{path.name}: content must be JSON, got {error}") from error


def dataclass_from_json(cls: type[Any], path: Path) -> Any:
    """Return the dataclass whose fields a JSON file holds; lists become tuples where meant.

    Raises
    ------
    ArtifactError
        If a key is missing or not a field.
    """
    raw = read_json(path)
    known = {f.name for f in fields(cls)}
    if not isinstance(raw, dict) or set(raw) - known:
        extra = sorted(set(raw) - known) if isinstance(raw, dict) else type(raw).__name__
        raise ArtifactError(f"{path.name}: keys must be among {sorted(known)}, got {extra}")
    tuples = {f.name for f in fields(cls) if str(f.type).startswith("tuple")}
    try:
        return cls(**{k: tuple(v) if k in tuples else v for k, v in raw.items()})
    except TypeError as error:
        raise ArtifactError(f"{path.name}: keys must be complete, got {error}") from error


def write_table(path: Path, table: pd.DataFrame, meta: Mapping[str, Any] | None = None) -> None:
    """Write a table as Parquet with ``meta`` in its footer; equal tables give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.Table.from_pandas(table, preserve_index=False)
    note = {_META_KEY: json.dumps(plain(meta or {}), sort_keys=True).encode()}
    with atomic(path) as temporary:
        pq.write_table(arrow.replace_schema_metadata(note), temporary)


def read_table(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read a Parquet table and its ``meta``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        arrow = pq.read_table(existing(path))
    except pa.ArrowInvalid as error:
        raise ArtifactError(f"{path.name}: content must be Parquet, got {error}") from error
    meta = json.loads((arrow.schema.metadata or {}).get(_META_KEY, b"{}"))
    return arrow.to_pandas(), meta
