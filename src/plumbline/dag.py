"""What ``dvc.yaml`` says about one stage: command, dependencies, parameter blocks, outputs.

DVC tells a running stage its name (``DVC_STAGE``) and nothing else, and importing DVC to ask takes
longer than many stages; the part of the syntax that ``dvc.yaml`` uses is resolved here, and a test
compares the answer with DVC's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from plumbline.errors import ArtifactError

_SLOT = re.compile(r"\$\{(key|item)(?:\.(\w+))?\}")


@dataclass(frozen=True)
class StageSpec:
    """One stage of ``dvc.yaml`` with its templates filled in; paths relative to the root."""

    name: str
    cmd: str
    deps: tuple[str, ...]
    params: tuple[str, ...]
    outs: tuple[str, ...]  # outs, metrics and plots together


def stages(root: Path) -> dict[str, StageSpec]:
    """Return every stage of ``dvc.yaml`` in the order of the file."""
    raw = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))
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
