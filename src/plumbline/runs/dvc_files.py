"""Stages, lock entries and parameters of a work tree, read from its DVC files without DVC.

The root ``dvc.yaml`` is the default pipeline; each ``studies/<lab>/dvc.yaml`` is an opt-in pipeline
of a laboratory in the same DVC repository, with a ``dvc.lock`` and a ``params.yaml`` beside it. Its
stages set ``wdir: ../..``: every path is relative to the root. Plain stage names are unique over
all files, so that they identify a stage everywhere; only DVC's commands need its address.

A running stage knows its address from ``DVC_STAGE``. Importing DVC for more takes longer than many
stages, so that the syntax that the files use is resolved here; tests compare the results with DVC.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from plumbline import artifacts
from plumbline.artifacts import yaml_text
from plumbline.errors import ArtifactError

DVC_YAML, DVC_LOCK, PARAMS = "dvc.yaml", "dvc.lock", "params.yaml"
LABS = "studies"
_SLOT = re.compile(r"\$\{(key|item)(?:\.(\w+))?\}")


@dataclass(frozen=True)
class StageSpec:
    """One stage with its templates filled in; paths are relative to the root.

    Attributes
    ----------
    name : str
        Plain name, e.g. ``mitigate@none``.
    cmd : str
    deps : tuple of str
    params : dict
        The parameter file of each block.
    outs : tuple of str
        Outs, metrics and plots.
    file : str
        The ``dvc.yaml`` that defines the stage.
    """

    name: str
    cmd: str
    deps: tuple[str, ...]
    params: dict[str, str]
    outs: tuple[str, ...]
    file: str = DVC_YAML

    @property
    def lab(self) -> str:
        """Laboratory of the stage, e.g. ``fairness``; empty in the default pipeline."""
        return "" if self.file == DVC_YAML else PurePosixPath(self.file).parent.name

    @property
    def address(self) -> str:
        """Name by which DVC finds the stage from the root."""
        return f"{self.file}:{self.name}" if self.lab else self.name


@dataclass(frozen=True)
class LockEntry:
    """Hashes by path and parameter blocks by name that a ``dvc.lock`` records of a stage."""

    cmd: str
    deps: dict[str, str]
    params: dict[str, Any]
    outs: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """Digest of the whole entry; equal entries are the same work."""
        parts = [self.cmd, self.deps, artifacts.plain(self.params), self.outs]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def files(root: Path) -> list[str]:
    """Return every ``dvc.yaml`` relative to the root: the default pipeline, then the labs'."""
    labs = sorted(root.glob(f"{LABS}/*/{DVC_YAML}"))
    return [DVC_YAML, *(path.relative_to(root).as_posix() for path in labs)]


def stages(root: Path) -> dict[str, StageSpec]:
    """Return every stage by its plain name, in the order of the files.

    Raises
    ------
    ArtifactError
        If two stages share a name, or a stage of a lab does not run in the root.
    """
    found: dict[str, StageSpec] = {}
    for file in files(root):
        for spec in _stages(root, file):
            if spec.name in found:
                raise ArtifactError(
                    f"{file}: stage names must be unique over all pipelines, got {spec.name!r} of "
                    f"{found[spec.name].file} again; rename one of them"
                )
            found[spec.name] = spec
    return found


def stage(root: Path, name: str) -> StageSpec:
    """Return one stage by its plain name or its address, from whichever folder DVC gave it."""
    every = stages(root)
    plain = name.rpartition(":")[2]
    if plain not in every:
        raise ArtifactError(f"dvc.yaml: stage must be one of {sorted(every)}, got {name!r}")
    return every[plain]


def items(root: Path, group: str) -> list[str]:
    """Return the items behind ``@`` of the stages of a group, in the order of the file."""
    heads = (name.partition("@") for name in stages(root))
    return [item for head, at, item in heads if head == group and at]


def lock(text: str) -> dict[str, LockEntry]:
    """Return the entries by stage name of the text of locks; see `lock_text`."""
    return {
        name: LockEntry(
            cmd=body["cmd"],
            deps={dep["path"]: dep.get("md5", "") for dep in body.get("deps", [])},
            params={k: v for blocks in body.get("params", {}).values() for k, v in blocks.items()},
            outs={out["path"]: out.get("md5", "") for out in body.get("outs", [])},
        )
        for document in yaml_text.parse_all(text, DVC_LOCK)
        for name, body in (document or {}).get("stages", {}).items()
    }


def lock_text(root: Path) -> str:
    """Return the texts of every ``dvc.lock`` as the documents of one YAML stream."""
    paths = [(root / file).with_name(DVC_LOCK) for file in files(root)]
    return "\n---\n".join(path.read_text(encoding="utf-8") for path in paths if path.exists())


def read_lock(root: Path) -> dict[str, LockEntry]:
    """Return the entries of every ``dvc.lock`` by plain stage name; none if there is no file."""
    return lock(lock_text(root))


def raw_params(root: Path, blocks: Mapping[str, str]) -> dict[str, Any]:
    """Return parameter blocks as DVC records them: as written, None where there is none.

    Parameters
    ----------
    root : Path
    blocks : mapping
        The file of each block, see `StageSpec`. A block may have dots: ``data.classes``.
    """
    texts = {file: (root / file).read_text(encoding="utf-8") for file in set(blocks.values())}
    raw = {file: yaml_text.parse(text, file) for file, text in texts.items()}

    def at(name: str) -> Any:
        node = raw[blocks[name]]
        for key in name.split("."):
            node = node.get(key) if isinstance(node, dict) else None
        return node

    return {name: at(name) for name in blocks}


def content_hash(path: Path) -> str:
    """Return the hash that DVC gives a file or folder: md5, for folders of the sorted listing."""
    return folder_hash(listing(path)) if path.is_dir() else artifacts.digest(path, "md5")


def listing(path: Path) -> dict[str, str]:
    """Return the md5 of every file below a folder by its path relative to it, as DVC lists them."""
    return {
        file.relative_to(path).as_posix(): artifacts.digest(file, "md5")
        for file in path.rglob("*")
        if file.is_file() and "__pycache__" not in file.relative_to(path).parts  # .dvcignore
    }


def folder_hash(files: Mapping[str, str]) -> str:
    """Return the hash that DVC gives a folder with a `listing`."""
    entries = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    text = json.dumps(entries, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def compare_listings(expected: Mapping[str, str], got: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (file, difference) of the files that differ between two folders, sorted."""
    return [
        (name, "is missing" if name not in got
         else "should not be there" if name not in expected
         else "has other bytes")
        for name in sorted({*expected, *got})
        if expected.get(name) != got.get(name)
    ]  # fmt: skip


def cached(root: Path, digest: str) -> Path:
    """Return where DVC's cache in the work tree ``root`` keeps the content with a hash."""
    return root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]


def cached_listing(root: Path, digest: str) -> dict[str, str] | None:
    """Return the `listing` of a folder hash from DVC's cache, None if the cache has none."""
    path = cached(root, digest)
    if not digest.endswith(".dir") or not path.is_file():
        return None
    return {e["relpath"]: e["md5"] for e in json.loads(path.read_text(encoding="utf-8"))}


def _stages(root: Path, file: str) -> Iterator[StageSpec]:
    raw = yaml_text.parse((root / file).read_text(encoding="utf-8"), file)
    for name, body in raw["stages"].items():
        if "foreach" not in body:
            yield _spec(file, name, body)
            continue
        loop = body["foreach"]
        pairs = loop.items() if isinstance(loop, dict) else ((str(i), i) for i in loop)
        for key, item in pairs:
            yield _spec(file, f"{name}@{key}", _fill(body["do"], str(key), item))


def _spec(file: str, name: str, body: dict[str, Any]) -> StageSpec:
    folder = PurePosixPath(file).parent
    to_root = "/".join([".."] * len(folder.parts)) or "."
    if (wdir := body.get("wdir", ".")) != to_root:
        raise ArtifactError(
            f"{file}: wdir of stage {name} must be {to_root}, got {wdir}; scripts run in the root"
        )
    outs = [*body.get("outs", []), *body.get("metrics", []), *body.get("plots", [])]
    return StageSpec(
        name=name,
        cmd=body["cmd"],
        deps=tuple(dict.fromkeys(body.get("deps", []))),
        params=_blocks(file, name, body.get("params", [])),
        outs=tuple(next(iter(o)) if isinstance(o, dict) else o for o in outs),
        file=file,
    )


def _blocks(file: str, name: str, listed: Iterable[str | dict[str, list[str]]]) -> dict[str, str]:
    """Return the parameter file of each block; ``params.yaml`` where none is named."""
    found: dict[str, str] = {}
    for entry in listed:
        named = entry if isinstance(entry, dict) else {PARAMS: [entry]}
        for source, blocks in named.items():
            for block in blocks or [""]:
                if not block or block in found:
                    raise ArtifactError(
                        f"{file}: params of stage {name} must name each block once, got "
                        f"{block or 'all'!r} of {source}"
                    )
                found[block] = source
    return found


def _fill(node: Any, key: str, item: Any) -> Any:
    if isinstance(node, dict):
        return {_fill(k, key, item): _fill(v, key, item) for k, v in node.items()}
    if isinstance(node, list):
        return [_fill(v, key, item) for v in node]
    if isinstance(node, str):
        return _SLOT.sub(
            lambda m: key if m[1] == "key" else str(item[m[2]] if m[2] else item), node
        )
    return node
