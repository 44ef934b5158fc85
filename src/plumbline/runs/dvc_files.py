"""What ``dvc.yaml`` and ``dvc.lock`` say about a stage, read without DVC.

DVC tells a running stage its name (``DVC_STAGE``) and nothing else, and importing DVC to ask takes
longer than many stages; the part of the syntax that ``dvc.yaml`` uses is resolved here, and tests
compare the answers with DVC's own.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from plumbline import artifacts
from plumbline.errors import ArtifactError

_SLOT = re.compile(r"\$\{(key|item)(?:\.(\w+))?\}")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


# Modules that run, record and check stages; none of them decides what a stage computes.
SHELL = {
    "stage", "journal", "dag", "params", "names", "errors", "torchvision_guard", "cli",
    "tracking", "verify", "signals", "provenance", "checkpoints", "workfolder", "diagnosis",
    "lineage", "stage_process",
}  # fmt: skip


@dataclass(frozen=True)
class StageSpec:
    """One stage of ``dvc.yaml`` with its templates filled in; paths relative to the root."""

    name: str
    cmd: str
    deps: tuple[str, ...]
    params: tuple[str, ...]
    outs: tuple[str, ...]  # outs, metrics and plots together


@dataclass(frozen=True)
class LockEntry:
    """What ``dvc.lock`` records of a stage: hashes by path, parameter blocks by name."""

    cmd: str
    deps: dict[str, str]
    params: dict[str, Any]
    outs: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """One digest of all that the entry says; equal entries are the same work."""
        parts = [self.cmd, self.deps, artifacts.plain(self.params), self.outs]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def stages(root: Path) -> dict[str, StageSpec]:
    """Return every stage of ``dvc.yaml`` in the order of the file."""
    raw = _load((root / "dvc.yaml").read_text(encoding="utf-8"))
    found = {}
    for name, body in raw["stages"].items():
        if "foreach" not in body:
            found[name] = _spec(name, body)
            continue
        loop = body["foreach"]
        pairs = loop.items() if isinstance(loop, dict) else ((str(i), i) for i in loop)
        for key, item in pairs:
            full = f"{name}@{key}"
            found[full] = _spec(full, _fill(body["do"], str(key), item))
    return found


def stage(root: Path, name: str) -> StageSpec:
    """Return one stage; see `stages`."""
    every = stages(root)
    if name not in every:
        raise ArtifactError(f"dvc.yaml: stage must be one of {sorted(every)}, got {name!r}")
    return every[name]


def items(root: Path, group: str) -> list[str]:
    """Return the parts behind ``@`` of the stages of a group, in the order of the file."""
    heads = (name.partition("@") for name in stages(root))
    return [item for head, at, item in heads if head == group and at]


def lock(text: str) -> dict[str, LockEntry]:
    """Return the entries of the text of a ``dvc.lock`` by stage name; none for an empty text."""
    raw = (_load(text) or {}).get("stages", {})
    return {
        name: LockEntry(
            cmd=body["cmd"],
            deps={dep["path"]: dep.get("md5", "") for dep in body.get("deps", [])},
            params=body.get("params", {}).get("params.yaml", {}),
            outs={out["path"]: out.get("md5", "") for out in body.get("outs", [])},
        )
        for name, body in raw.items()
    }


def read_lock(root: Path) -> dict[str, LockEntry]:
    """Return the entries of ``<root>/dvc.lock``; none if there is no such file."""
    path = root / "dvc.lock"
    return lock(path.read_text(encoding="utf-8")) if path.exists() else {}


def raw_params(root: Path, names: Iterable[str]) -> dict[str, Any]:
    """Return blocks of ``params.yaml`` as DVC records them: as written, None where there is none.

    A name may have dots: ``data.classes``.
    """
    raw = _load((root / "params.yaml").read_text(encoding="utf-8"))

    def at(name: str) -> Any:
        node = raw
        for key in name.split("."):
            node = node.get(key) if isinstance(node, dict) else None
        return node

    return {name: at(name) for name in names}


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
    """Return (file, what is wrong with it) of the files that differ between two folders, sorted."""
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


def unlisted(spec: StageSpec, modules: Iterable[str]) -> list[str]:
    """Return the parts of the library among imported ``modules`` that a stage does not declare.

    DVC would not run the stage again when they change. Nothing is said of a stage that declares no
    part of it at all.
    """
    head = "src/plumbline/"
    declared = {d.split("/")[2].removesuffix(".py") for d in spec.deps if d.startswith(head)}
    parts = {name.split(".")[1] for name in modules if name.startswith("plumbline.")}
    return [f"{head}{part}" for part in sorted(parts - declared - SHELL)] if declared else []


def _load(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)


def _spec(name: str, body: dict[str, Any]) -> StageSpec:
    outs = [*body.get("outs", []), *body.get("metrics", []), *body.get("plots", [])]
    return StageSpec(
        name=name,
        cmd=body["cmd"],
        deps=tuple(body.get("deps", [])),
        params=tuple(p for p in body.get("params", []) if isinstance(p, str)),
        outs=tuple(next(iter(o)) if isinstance(o, dict) else o for o in outs),
    )


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
