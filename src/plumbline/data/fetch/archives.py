"""Unpack archives from elsewhere: into one folder, completely or not at all.

Refused are entries that lead outside the folder (absolute paths, ``..``, drive letters,
backslashes), links, devices and pipes, two entries of one name, encrypted entries, and archives
above a size or number of files. Sizes are counted while reading, because a header can be wrong.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import stat
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn

from plumbline.errors import DataError

_CHUNK = 1 << 20
_FAULTS = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError,
    NotImplementedError, RuntimeError, ValueError, OverflowError,
)  # fmt: skip
_UNSAFE = re.compile(r"^[A-Za-z]:|\\|[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class _Entry:
    name: str
    kind: str  # "file", "folder" or what it is instead
    size: int
    stream: IO[bytes] | None


def unpack(
    archive: Path,
    folder: Path,
    *,
    max_bytes: int,
    max_files: int,
    members: Mapping[str, str] | None = None,
) -> list[str]:
    """Unpack a zip or tar archive (plain, gzip, bzip2 or xz) into ``folder``.

    Parameters
    ----------
    archive : Path
    folder : Path
        Existing files of the same names are replaced, others stay.
    max_bytes, max_files : int
        Largest unpacked size and largest number of entries.
    members : mapping of str to str, optional
        Entries to unpack and the names they get; by default all under their own names.

    Returns
    -------
    list of str
        The names written, sorted.

    Raises
    ------
    DataError
        If an entry is unsafe or unreadable, a limit is exceeded, or a wanted entry is missing;
        nothing is written then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=folder, prefix=".unpack-"))
    try:
        _write_entries(archive, staging, members=members, max_bytes=max_bytes, max_files=max_files)
        written = sorted(p.relative_to(staging).as_posix() for p in staging.rglob("*"))
        files = [name for name in written if (staging / name).is_file()]
        if missing := sorted(set((members or {}).values()) - set(files)):
            inside = [m for m, name in (members or {}).items() if name in missing]
            raise DataError(f"{archive.name}: archive must hold {inside[0]!r}, got no such entry")
        for name in files:
            _inside(folder, name, archive)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(staging / name, folder / name)
        return files
    except _FAULTS as error:
        raise DataError(f"{archive.name}: content must be a whole archive, got {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write_entries(
    archive: Path,
    staging: Path,
    *,
    members: Mapping[str, str] | None,
    max_bytes: int,
    max_files: int,
) -> None:
    seen: set[str] = set()
    declared = written = count = 0
    with _open(archive) as entries:
        for entry in entries:
            count += 1
            declared += max(entry.size, 0)
            if count > max_files:
                _refuse(archive, f"archive must hold at most {max_files} entries, got more")
            if declared > max_bytes:
                _refuse(archive, f"archive must unpack to at most {max_bytes} bytes, got more")
            name = _safe_name(entry, archive)
            if entry.kind == "folder" or entry.stream is None:
                continue
            key = unicodedata.normalize("NFC", name).casefold()
            if key in seen:
                _refuse(archive, f"entries must have different names, got {name!r} twice")
            seen.add(key)
            target = name if members is None else members.get(name)
            if target is not None:
                written += _copy(entry.stream, staging / target, archive, max_bytes - written)


def _copy(stream: IO[bytes], target: Path, archive: Path, room: int) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with target.open("xb") as sink:
        while chunk := stream.read(_CHUNK):
            written += len(chunk)
            if written > room:
                _refuse(archive, "archive must unpack to what its headers say, got more bytes")
            sink.write(chunk)
    return written


def _safe_name(entry: _Entry, archive: Path) -> str:
    name = entry.name
    if entry.kind not in ("file", "folder"):
        _refuse(archive, f"entry {name!r} must be a file or folder, got {entry.kind}")
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or _UNSAFE.search(name):
        _refuse(archive, f"entry must lie inside the archive's folder, got {name!r}")
    if entry.kind == "file" and not path.parts:
        _refuse(archive, f"entry must have a name, got {name!r}")
    return path.as_posix()


def _inside(folder: Path, name: str, archive: Path) -> None:
    # A link that is already in the folder must not lead out of it.
    if not (folder / name).parent.resolve().is_relative_to(folder.resolve()):
        _refuse(archive, f"entry must lie inside the archive's folder, got {name!r} through a link")


def _refuse(archive: Path, sentence: str) -> NoReturn:
    raise DataError(f"{archive.name}: {sentence}; the archive is refused")


@contextmanager
def _open(archive: Path) -> Iterator[Iterator[_Entry]]:
    if zipfile.is_zipfile(archive):
        # Closing the generator closes the entry that is being read, and with it the file.
        with zipfile.ZipFile(archive) as opened, closing(_zip_entries(opened, archive)) as entries:
            yield entries
    else:
        with tarfile.open(archive, "r:*") as opened_tar:
            yield _tar_entries(opened_tar)


def _zip_entries(archive: zipfile.ZipFile, path: Path) -> Generator[_Entry]:
    for info in archive.infolist():
        mode = info.external_attr >> 16 if info.create_system == 3 else 0
        kind = "folder" if info.is_dir() else "file"
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            kind = "a link" if stat.S_ISLNK(mode) else "a device or pipe"
        if info.flag_bits & 0x1:
            _refuse(path, f"entry {info.filename!r} must be readable, got an encrypted one")
        # zipfile cuts names at a NUL byte; check the name as it is written.
        name = getattr(info, "orig_filename", info.filename)
        if kind == "file":
            with archive.open(info) as stream:
                yield _Entry(name, kind, info.file_size, stream)
        else:
            yield _Entry(name, kind, 0, None)


def _tar_entries(archive: tarfile.TarFile) -> Iterator[_Entry]:
    for info in archive:
        if info.isreg():
            yield _Entry(info.name, "file", info.size, archive.extractfile(info))
        elif info.isdir():
            yield _Entry(info.name, "folder", 0, None)
        else:
            link = info.issym() or info.islnk()
            yield _Entry(info.name, "a link" if link else "a device or pipe", 0, None)
