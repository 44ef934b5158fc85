"""Fetch the raw files of a source into ``data/raw/<source>/``.

A file is downloaded into ``.partial/``, verified, and only then moved in place.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.artifacts import digest
from plumbline.data.base.sources import SOURCES, Source, accept, known, pinned, raw_folder
from plumbline.data.fetch.archives import unpack
from plumbline.data.fetch.download import Progress, download
from plumbline.errors import DataError

PARTIAL = ".partial"
MAX_BYTES = 20 << 30  # of a download or an unpacked archive whose size is not pinned
MAX_FILES = 1_000_000


@dataclass(frozen=True)
class Fetched:
    """A raw file in place, its sha256, and whether it was there before the call."""

    name: str
    sha256: str
    kept: bool


def fetch(
    source: str,
    *,
    root: Path = Path(),
    sources: Mapping[str, Source] = SOURCES,
    accepted: Collection[str] = (),
    progress: Progress = lambda url, there, total: None,
) -> list[Fetched]:
    """Download, verify and unpack the raw files of a source that are missing.

    Parameters
    ----------
    source : str
    root : Path
        The repository.
    sources : mapping, optional
        The registry.
    accepted : collection of str
        Digests that the user accepts for files without a pinned one.
    progress : callable

    Returns
    -------
    list of Fetched
        A file in place with the right sha256 is kept, as is one that may replace another.

    Raises
    ------
    DataError
        If the source ships inside a package, the server does not give a file, or a file has another
        sha256 than its pinned or accepted one; no file is replaced then.
    """
    from filelock import FileLock, Timeout

    entry = known(source, sources=sources)
    if entry.package:
        raise DataError(
            f"{source}: source must be one that is fetched, got one that ships inside "
            f"{entry.package}=={entry.version}"
        )
    folder = raw_folder(source, root)
    partial = folder / PARTIAL
    partial.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(partial / "lock", timeout=0):
            found = _fetch_missing(
                source, entry, root=root, accepted=set(accepted), progress=progress
            )
    except Timeout as error:
        raise DataError(f"{source}: one fetch must run at a time, got another one") from error
    shutil.rmtree(partial, ignore_errors=True)
    return found


def _fetch_missing(
    source: str,
    entry: Source,
    *,
    root: Path,
    accepted: set[str],
    progress: Progress,
) -> list[Fetched]:
    folder, wanted = raw_folder(source, root), pinned(source, entry, root=root)
    there = {name: digest(folder / name) for name in wanted if (folder / name).is_file()}
    replaced = {f.replaces for n, f in entry.files.items() if f.replaces and n in there}
    found, missing = [], {}
    for name, file in entry.files.items():
        if name in there and (
            there[name] in file.also or _is_right(there[name], wanted[name], accepted)
        ):
            _record(source, name, there[name], wanted[name], root)
            found.append(Fetched(name, there[name], kept=True))
        elif not file.replaces and name not in replaced:
            missing[name] = file
    for url in dict.fromkeys(file.url for file in missing.values()):
        here = {name: file for name, file in missing.items() if file.url == url}
        with tempfile.TemporaryDirectory(dir=folder / PARTIAL) as name_:
            staging = Path(name_)
            _stage(url, here, staging, folder / PARTIAL, progress=progress)
            digests = {name: digest(staging / name) for name in here}
            for name, sha256 in digests.items():
                _verify(source, name, sha256, wanted[name], accepted, url, folder / PARTIAL)
            for name, sha256 in digests.items():
                _record(source, name, sha256, wanted[name], root)
                os.replace(staging / name, folder / name)
                found.append(Fetched(name, sha256, kept=False))
    return found


def _stage(
    url: str,
    files: Mapping[str, Any],
    staging: Path,
    partial: Path,
    *,
    progress: Progress,
) -> None:
    (first, *_) = files.values()
    limit = MAX_BYTES if first.member or first.bytes is None else first.bytes
    body = _partial_file(url, partial)
    download(url, body, limit=limit, progress=progress)
    if first.member:
        members = {file.member: name for name, file in files.items()}
        try:
            unpack(body, staging, members=members, max_bytes=MAX_BYTES, max_files=MAX_FILES)
        except DataError as error:
            body.unlink(missing_ok=True)  # the next call downloads it again
            raise DataError(f"{url}: {error}") from error
    else:
        (name,) = files
        os.link(body, staging / name)


def _is_right(found: str, wanted: str | None, accepted: set[str]) -> bool:
    return found == wanted if wanted else found in accepted


def _record(source: str, name: str, found: str, wanted: str | None, root: Path) -> None:
    if wanted is None:
        accept(source, name, found, root=root)


def _verify(
    source: str,
    name: str,
    found: str,
    wanted: str | None,
    accepted: set[str],
    url: str,
    partial: Path,
) -> None:
    if _is_right(found, wanted, accepted):
        return
    if wanted is None:
        raise DataError(
            f"{source}: {name} must have a digest that you accept, got sha256 {found} from {url}; "
            "compare it with what its publisher states, then run plumbline data fetch "
            f"{source} --accept-digest {found}"
        )
    _partial_file(url, partial).unlink(missing_ok=True)
    raise DataError(
        f"{source}: {name} from {url} must have sha256 {wanted}, got {found}; the address may hold "
        f"another version now: put the right file into {raw_folder(source).as_posix()} by hand"
    )


def _partial_file(url: str, partial: Path) -> Path:
    return partial / hashlib.sha256(url.encode()).hexdigest()[:16]
