"""Where results come from: the state of the code and the kind of machine."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from plumbline import artifacts

ENVIRONMENT = Path("reports/environment.json")

# Made by the pipeline itself: their change between two stages says nothing about the code.
_MADE = (":(exclude)dvc.lock", ":(exclude)reports")

# Instruction sets that numerical libraries choose their kernels by.
_INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "sve")


def git(root: Path, *words: str) -> str:
    """Return what a git command prints, empty where it fails or there is no git."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def code_tags(root: Path) -> dict[str, str]:
    """Return commit, branch and whether the work tree differs from it (and a digest of how)."""
    change = git(root, "diff", "HEAD", "--", ".", *_MADE)
    tags = {
        "git.commit": git(root, "rev-parse", "HEAD"),
        "git.branch": git(root, "branch", "--show-current"),
        "git.dirty": "true" if change else "false",
        "git.diff": hashlib.sha256(change.encode()).hexdigest()[:16] if change else "",
        "dvc.exp_name": os.environ.get("DVC_EXP_NAME", ""),
    }
    return {key: value for key, value in tags.items() if value}


def environment(root: Path, *, threads: int) -> dict[str, Any]:
    """Return what decides whether two machines compute the same bits.

    Package versions are read from their metadata: importing torch to ask takes two seconds.
    """
    names = ("torch", "numpy", "scipy", "scikit-learn", "pytorch-lightning", "timm")
    lock = root / "requirements.lock"
    model, flags = _processor()
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": model,
        "instructions": [name for name in _INSTRUCTIONS if name in flags],
        "threads": threads,
        "packages": {name: version(name) for name in names},
        "requirements": artifacts.digest(lock) if lock.exists() else None,
    }


def write_environment(root: Path, *, threads: int) -> None:
    """Write ``reports/environment.json``: which kind of machine ``dvc.lock`` was made on."""
    artifacts.write_json(root / ENVIRONMENT, environment(root, threads=threads))


def version(name: str) -> str | None:
    """Return the installed version of a package, None if there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> tuple[str, set[str]]:
    table = Path("/proc/cpuinfo")
    if not table.exists():
        return platform.processor(), set()
    pairs = [line.partition(":") for line in table.read_text(encoding="utf-8").splitlines()]
    first: dict[str, str] = {}
    for key, _, value in pairs:
        first.setdefault(key.strip(), value.strip())
    flags = set(first.get("flags", first.get("Features", "")).split())
    return first.get("model name", platform.processor()), flags
