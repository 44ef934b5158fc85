"""The raw files of every source, as ``sources.yaml`` pins them.

The default sources ship inside packages that ``requirements.lock`` pins; the others lie in
``data/raw/<source>/``, where `plumbline.data.fetch.fetch` or the user puts them. A file that is
missing or was altered is refused before it is read. The digests go into the prepared schema, so
that an auditor knows the exact input of a model. Nothing here uses the network.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata, resources, util
from pathlib import Path
from typing import Any

import yaml

from plumbline import names
from plumbline.artifacts import digest, read_json, write_json
from plumbline.data.base.folders import is_hidden
from plumbline.errors import DataError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RawFile:
    """One raw file of a source.

    Attributes
    ----------
    sha256 : str or None
        None if no digest has been published.
    bytes : int or None
        Its size.
    url : str
        Address to fetch it from; empty for files of a package and those that the user provides.
    member : str
        Its path inside the archive at ``url``; empty where ``url`` is the file itself.
    replaces : str
        Another file of the source that it may replace.
    also : sequence of str
        Digests of the same content in other compressed files.
    """

    sha256: str | None
    bytes: int | None = None
    url: str = ""
    member: str = ""
    replaces: str = ""
    also: Sequence[str] = ()


@dataclass(frozen=True)
class Source:
    """A source and its raw files.

    Attributes
    ----------
    dataset : str
        The prepared data set that can be made from it, one of `catalog.datasets`.
    title, address, licence, citation : str
        Texts for the cards; ``address`` is the official page.
    description, not_known, split : str
        Description of the data, limits of what is known about them, and rule of the split.
    attributes : mapping of str to str
        Origin of each attribute.
    package, version, folder : str
        Distribution that holds the files, the version they were pinned at, and their folder below
        the import package; all empty for a source that is fetched.
    files : mapping of str to RawFile
        By file name; empty where the source is the package's own code, which the version stands
        for.
    """

    dataset: str
    title: str
    address: str
    licence: str
    citation: str
    description: str = ""
    not_known: str = ""
    split: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    package: str = ""
    version: str = ""
    folder: str = ""
    files: Mapping[str, RawFile] = field(default_factory=dict)

    def about(self, **values: object) -> dict[str, Any]:
        """Return the texts for the prepared schema and the cards, with ``{names}`` filled in."""
        keys = ("title", "licence", "citation", "address", "description", "not_known", "split")
        texts = {key: getattr(self, key).format(**values) for key in keys if getattr(self, key)}
        notes = {name: text.format(**values) for name, text in self.attributes.items()}
        return {**texts, "attributes": notes}


ACCEPTED = "accepted.json"  # digests that the user accepted for files without a pinned one
_IMPORTED_AS = {"scikit-learn": "sklearn", "matplotlib": "matplotlib"}


def _registry() -> dict[str, Source]:
    text = (
        resources.files("plumbline.data.base").joinpath("sources.yaml").read_text(encoding="utf-8")
    )
    found = {}
    for name, entry in yaml.safe_load(text).items():
        files = {file: RawFile(**facts) for file, facts in entry.pop("files", {}).items()}
        found[name] = Source(**entry, files=files)
    return found


SOURCES: Mapping[str, Source] = _registry()


def known(source: str, *, sources: Mapping[str, Source] = SOURCES) -> Source:
    """Return a source by name.

    Raises
    ------
    DataError
        If there is none of this name.
    """
    if source not in sources:
        raise DataError(f"data: source must be one of {', '.join(sources)}, got {source!r}")
    return sources[source]


def located(path: str | Path, root: Path) -> Path:
    """Return where raw data lie: in the work tree, else in the main one of an experiment.

    ``dvc exp run --temp`` and ``--queue`` run in a copy of what git tracks, which raw data are not.
    """
    here, there = root / path, names.main_tree(root) / path
    return there if there.exists() and not here.exists() else here


def raw_folder(source: str, root: Path = Path()) -> Path:
    """Return the folder of the raw files of a fetched source; see `located`."""
    return located(names.RAW / source, root)


def raw_files(block: Any, *, root: Path = Path()) -> dict[str, str]:
    """Check the raw files of a ``data_…`` block of the parameters; return their sha256 by name.

    A source of the user (``csv``, ``file``, …) has a block of its name inside with ``path`` and
    ``sha256``; every other source is in the registry.

    Raises
    ------
    DataError
        See `check_raw` and `check_user_data`.
    """
    if block.source in SOURCES:
        _tell(block.source, names.RAW / block.source, root)
        return check_raw(block.source, root=root)
    own = getattr(block, block.source)
    _tell(block.source, own.path, root)
    return check_user_data(block.source, located(own.path, root), own.sha256)


def _tell(source: str, path: str | Path, root: Path) -> None:
    """Log where raw data are read if that is not this work tree."""
    if (found := located(path, root)) != root / path:
        log.info("%s: %s is read from the main work tree, %s", source, path, found)


def user_digest(path: Path) -> str:
    """Return the sha256 of the user's file or folder.

    Hidden files, which nothing reads, are no part of it: what a file manager leaves behind makes no
    other data of a folder.
    """
    return digest(path, leave_out=is_hidden)


def check_user_data(source: str, path: Path, sha256: str) -> dict[str, str]:
    """Check the user's file or folder against its declared sha256; return it by name.

    Raises
    ------
    DataError
        If it does not exist or has another sha256.
    """
    if not (path.is_file() or path.is_dir()):
        raise DataError(f"{source}: path must be a file or folder, got none at {path.as_posix()}")
    if path.is_dir() and not any(file.is_file() for file in path.rglob("*")):
        raise DataError(f"{source}: folder {path.as_posix()} must hold a file, got none")
    found = user_digest(path)
    if found != sha256:
        raise DataError(
            f"{source}: {path.as_posix()} must have sha256 {sha256}, got {found}; if these are the "
            f"data you mean, write this digest as {source}.sha256 into params.yaml"
        )
    return {path.name: found}


def check_raw(
    source: str, *, sources: Mapping[str, Source] = SOURCES, root: Path = Path()
) -> dict[str, str]:
    """Check every raw file of a source and return their sha256 by name.

    Parameters
    ----------
    source : str
        Key of ``sources``.
    sources : mapping, optional
        The registry.
    root : Path
        Root of the repository, which contains ``data/raw``.

    Raises
    ------
    DataError
        If the source is unknown, the package or a file is missing, a file was altered, or a source
        that is the code of a package is read from another version of it.
    """
    entry = known(source, sources=sources)
    if not entry.package:
        return _check_fetched(source, entry, root)
    fix = f"install {entry.package}=={entry.version}, as requirements.lock does"
    spec = util.find_spec(_IMPORTED_AS[entry.package])
    if spec is None or spec.origin is None:
        raise DataError(f"{source}: package {entry.package} must be installed, got none; {fix}")
    if not entry.files:
        return {f"{entry.package}=={_same_version(source, entry, fix)}": "the installed package"}
    folder = Path(spec.origin).parent / entry.folder
    return {
        name: _same_file(source, folder / name, file.sha256, fix)
        for name, file in entry.files.items()
    }


def pinned(source: str, entry: Source, *, root: Path = Path()) -> dict[str, str | None]:
    """Return the sha256 that each raw file must have: pinned, or accepted by the user, or None."""
    path = raw_folder(source, root) / ACCEPTED
    accepted = read_json(path) if path.is_file() else {}
    if not isinstance(accepted, dict):
        raise DataError(f"{source}: {ACCEPTED} must hold digests by file name, got another JSON")
    return {name: file.sha256 or accepted.get(name) for name, file in entry.files.items()}


def accept(source: str, name: str, sha256: str, *, root: Path = Path()) -> None:
    """Record that the user accepts a digest for a file that has no pinned one."""
    path = raw_folder(source, root) / ACCEPTED
    accepted = read_json(path) if path.is_file() else {}
    write_json(path, {**accepted, name: sha256})


def _check_fetched(source: str, entry: Source, root: Path) -> dict[str, str]:
    folder, wanted = raw_folder(source, root), pinned(source, entry, root=root)
    fix = f"run plumbline data fetch {source}, or put the file there"
    found = {}
    for name, sha256 in _chosen(entry, folder, wanted).items():
        if (folder / name).is_file() and sha256 is None:
            raise DataError(
                f"{source}: raw file {name} must have a digest that you accept, got "
                f"{digest(folder / name)}; run plumbline data fetch {source}"
            )
        also = entry.files[name].also
        found[name] = _same_file(source, folder / name, sha256, fix, also=also)
    return found


def _chosen(
    entry: Source, folder: Path, wanted: Mapping[str, str | None]
) -> Mapping[str, str | None]:
    # A replacement is used only if the file itself is missing.
    chosen = {name: wanted[name] for name, file in entry.files.items() if not file.replaces}
    for name, file in entry.files.items():
        if file.replaces and (folder / name).is_file() and not (folder / file.replaces).is_file():
            del chosen[file.replaces]
            chosen[name] = wanted[name]
    return chosen


def _same_version(source: str, entry: Source, fix: str) -> str:
    found = metadata.version(entry.package)
    if found != entry.version:
        raise DataError(
            f"{source}: {entry.package} must have version {entry.version}, got {found}; {fix}"
        )
    return found


def _same_file(
    source: str, path: Path, want: str | None, fix: str, *, also: Sequence[str] = ()
) -> str:
    if not path.is_file():
        raise DataError(f"{source}: raw file {path.name} must exist, got none; {fix}")
    found = digest(path)
    if found != want and found not in also:
        raise DataError(
            f"{source}: raw file {path.name} must have sha256 {want}, got {found}; {fix}"
        )
    return found
