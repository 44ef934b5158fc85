"""The raw files of every source, as ``sources.yaml`` pins them.

The default sources ship inside packages that ``requirements.lock`` pins. A file that is missing or
was altered is refused before anything is read from it, and the digests go into the prepared
schema, so that an auditor can tell which bytes a model was made from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata, resources, util
from pathlib import Path

import yaml

from plumbline.artifacts import digest
from plumbline.errors import DataError


@dataclass(frozen=True)
class Source:
    """Where the raw files of a source stand.

    Attributes
    ----------
    package : str
        Distribution that holds them.
    version : str
        The version they were pinned at.
    folder : str
        Their folder below the import package.
    files : mapping of str to str
        sha256 by file name; empty where the source is the package's own code, which the version
        stands for.
    """

    package: str
    version: str
    folder: str
    files: Mapping[str, str]


_IMPORTED_AS = {"scikit-learn": "sklearn", "matplotlib": "matplotlib"}


def _registry() -> dict[str, Source]:
    text = resources.files("plumbline.data").joinpath("sources.yaml").read_text(encoding="utf-8")
    return {name: Source(**entry) for name, entry in yaml.safe_load(text).items()}


SOURCES: Mapping[str, Source] = _registry()


def check_raw(source: str, *, sources: Mapping[str, Source] = SOURCES) -> dict[str, str]:
    """Check every raw file of a source and return their sha256 by name.

    Raises
    ------
    DataError
        If the package or a file is missing, a file was altered, or a source that is the code of a
        package is read from another version of it.
    """
    known = sources[source]
    mend = f"install {known.package}=={known.version}, as requirements.lock does"
    spec = util.find_spec(_IMPORTED_AS[known.package])
    if spec is None or spec.origin is None:
        raise DataError(f"{source}: package {known.package} must be installed, got none; {mend}")
    if not known.files:
        return {f"{known.package}=={_same_version(source, known, mend)}": "the installed package"}
    folder = Path(spec.origin).parent / known.folder
    return {
        name: _same_file(source, folder / name, want, mend) for name, want in known.files.items()
    }


def _same_version(source: str, known: Source, mend: str) -> str:
    found = metadata.version(known.package)
    if found != known.version:
        raise DataError(
            f"{source}: {known.package} must have version {known.version}, got {found}; {mend}"
        )
    return found


def _same_file(source: str, path: Path, want: str, mend: str) -> str:
    if not path.is_file():
        raise DataError(f"{source}: raw file {path.name} must exist, got none; {mend}")
    found = digest(path)
    if found != want:
        raise DataError(
            f"{source}: raw file {path.name} must have sha256 {want}, got {found}; {mend}"
        )
    return found
