"""Provenance of results: the state of the code, the environment and the kind of machine."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline import artifacts
from plumbline.compat import kernels
from plumbline.errors import ArtifactError

if TYPE_CHECKING:
    from plumbline.params.models import TrainerParams

ENVIRONMENT = Path("reports/environment.json")

# Written by the pipeline itself: a change of them is no change of the code.
_MADE = (":(exclude)dvc.lock", ":(exclude)studies/*/dvc.lock", ":(exclude)reports")


def git(root: Path, *words: str) -> str:
    """Return the output of a git command, empty where it fails or there is no git.

    Bytes that are no UTF-8, from a tracked file or its name, are kept as surrogates.
    """
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, check=False)
    except OSError:
        return ""
    return os.fsdecode(done.stdout).strip() if done.returncode == 0 else ""


def code_tags(root: Path) -> dict[str, str]:
    """Return commit, branch and whether the work tree differs from it (and a digest of how).

    Files that git neither tracks nor ignores count as a difference: a stage may import them.
    """
    change = git(root, "diff", "--full-index", "HEAD", "--", ".", *_MADE) + _untracked(root)
    tags = {
        "git.commit": git(root, "rev-parse", "HEAD"),
        "git.branch": _printable(git(root, "branch", "--show-current")),
        "git.dirty": "true" if change else "false",
        "git.diff": hashlib.sha256(os.fsencode(change)).hexdigest()[:16] if change else "",
        "dvc.exp_name": os.environ.get("DVC_EXP_NAME", ""),
        "dvc.exp_baseline": os.environ.get("DVC_EXP_BASELINE_REV", ""),
    }
    return {key: value for key, value in tags.items() if value}


def _printable(text: str) -> str:
    return os.fsencode(text).decode(errors="replace")


def _untracked(root: Path) -> str:
    listed = git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", ".", *_MADE)
    files = (root / name for name in listed.split("\0") if name)
    return "".join(
        f"\n{file.relative_to(root).as_posix()} {artifacts.digest(file)}"
        for file in files
        if file.is_file()
    )


def param_digests(blocks: Mapping[str, Any]) -> dict[str, str]:
    """Return one sha256 per block of parameter values, as ``params.yaml`` or ``dvc.lock`` has them.

    Values are taken as they are written, not as `plumbline.params` completes them.
    """
    return {
        name: hashlib.sha256(json.dumps(block, sort_keys=True, default=str).encode()).hexdigest()
        for name, block in blocks.items()
    }


@functools.cache
def environment_digest(choice: kernels.Choice) -> str:
    """Return one sha256 over all that an installation can change in a result.

    These are the versions of every installed distribution but this one (whose sources are
    dependencies of the stages), of Python and of the C library, the system and the kernels.
    """
    parts = [
        platform.python_implementation(),
        platform.python_version(),
        platform.system(),
        platform.machine(),
        platform.libc_ver(),
        kernels.describe(choice),
        _distributions(),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _distributions() -> list[str]:
    """Return ``name==version`` of every distribution, from the names of the metadata folders.

    To open and parse every one of them takes a hundred times longer.
    """
    found = set()
    for place in map(Path, filter(None, sys.path)):
        for folder in place.glob("*.*-info") if place.is_dir() else ():
            name, _, version = folder.stem.partition("-")
            if folder.suffix in (".dist-info", ".egg-info") and version:
                found.add(f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}")
    return sorted(entry for entry in found if not entry.startswith("plumbline=="))


def environment(root: Path, trainer: TrainerParams) -> dict[str, Any]:
    """Return what decides whether two machines compute the same bits.

    Package versions are read from their metadata: importing torch to ask takes two seconds. With
    portable kernels the processor has no part in it.
    """
    names = ("torch", "numpy", "scipy", "scikit-learn", "pytorch-lightning", "timm")
    lock = root / "requirements.lock"
    found = {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()).strip(),  # its libm has exp and the like
        "kernels": kernels.describe(trainer.kernels),
        "accelerator": trainer.accelerator,
        "threads": trainer.threads,
        "packages": {name: version(name) for name in names},
        "requirements": artifacts.digest(lock) if lock.exists() else None,
    }
    if kernels.effective(trainer.kernels) == "native":
        here = kernels.processor()
        found["processor"] = here.model
        found["instructions"] = [name for name in kernels.INSTRUCTIONS if name in here.flags]
    return found


def write_environment(root: Path, trainer: TrainerParams) -> None:
    """Write ``reports/environment.json``: which kind of machine ``dvc.lock`` was made on."""
    artifacts.write_json(root / ENVIRONMENT, environment(root, trainer))


def note_kernels(root: Path, trainer: TrainerParams) -> tuple[str | None, str]:
    """Write ``reports/environment.json`` anew if it names other kernels than those of ``trainer``.

    DVC takes the name for a parameter of every stage. Returns the former one, None if there is
    none, and the present one.
    """
    before, now = None, kernels.describe(trainer.kernels)
    with contextlib.suppress(ArtifactError):
        noted = artifacts.read_json(root / ENVIRONMENT)
        before = noted.get("kernels") if isinstance(noted, dict) else None
    if before != now:
        write_environment(root, trainer)
    return before, now


def version(name: str) -> str | None:
    """Return the installed version of a package, None if there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
