"""Clones of HEAD, as a newcomer has them: for the tests that run the real pipeline."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from plumbline.compat import kernels
from plumbline.params.apply import merge, write_layer

# What the tests' own surroundings must not tell a clone.
FOREIGN = ("PLUMBLINE_", "MLFLOW_", "DVC_")


def surroundings(folder: Path) -> dict[str, str]:
    """Return an environment for a repository: its own sources, and settings of DVC and git."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)
           and name not in kernels.VARIABLES},  # stages choose them
        **own_settings(folder),
        "PYTHONPATH": str(folder / "src"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }  # fmt: skip


def own_settings(folder: Path) -> dict[str, str]:
    """Return the variables that give a repository these tools, and a DVC and git of its own."""
    own = folder.parent / f"{folder.name}-dvc"
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_GLOBAL_CONFIG_DIR": str(own / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(own / "system"),
        "DVC_SITE_CACHE_DIR": str(own / "site"),
        "DVC_NO_ANALYTICS": "1",
        "GIT_AUTHOR_NAME": "test",
        "GIT_AUTHOR_EMAIL": "test@example.org",
        "GIT_COMMITTER_NAME": "test",
        "GIT_COMMITTER_EMAIL": "test@example.org",
    }


def clone_reduced(root: Path, folder: Path, *layers: Mapping[str, Any]) -> dict[str, str]:
    """Clone HEAD of ``root`` with reduced parameters and layers over them; see `surroundings`.

    Reduced are those of ``tests/reduced.yaml`` and the quick sizes of the laboratories.

    The work tree has no locks: none of their entries fits, and DVC reads them with each command.
    """
    subprocess.run(["git", "clone", "-q", root, folder], check=True)
    for lock in folder.rglob("dvc.lock"):
        lock.unlink()
    reduced = [root / "tests/reduced.yaml", *sorted(root.glob("studies/*/quick.yaml"))]
    lay(folder, *(yaml.safe_load(path.read_text(encoding="utf-8")) for path in reduced), *layers)
    return surroundings(folder)


def lay(folder: Path, *layers: Mapping[str, Any]) -> None:
    """Merge values into the parameter files of a repository."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(merged, layer)
    write_layer(folder, merged)


def lend_environment(folder: Path) -> None:
    """Let ``make`` find an environment in a repository: the one of this test."""
    (folder / ".venv").mkdir()
    (folder / ".venv/.complete").touch()
    (folder / ".venv/bin").symlink_to(Path(sys.executable).parent)


class Clone:
    """A clone with its own environment and stores, and reduced parameters committed."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        self.env = clone_reduced(root, folder)
        self.run("git checkout -q dvc.lock")
        lend_environment(folder)
        self.run("git commit -qam reduced")

    def run(self, command: str, *, code: int = 0, **env: str) -> str:
        """Run a command line, as a shell would cut it, and return what it printed."""
        done = subprocess.run(
            shlex.split(command),
            cwd=self.folder,
            env={**self.env, **env},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def copy(self, folder: Path) -> Clone:
        """Return a copy of the work tree with its data and stores: runs in it stay out of here."""
        shutil.copytree(self.folder, folder, symlinks=True)
        made = object.__new__(Clone)
        made.folder, made.env = folder, surroundings(folder)
        return made

    def snapshot(self, folder: Path) -> Path:
        """Commit the work tree as it is in another repository, and leave this one untouched."""
        index = {"GIT_INDEX_FILE": str(folder.with_suffix(".index"))}
        self.run("git read-tree HEAD", **index)
        self.run("git add -A", **index)
        tree = self.run("git write-tree", **index).strip()
        commit = self.run(f"git commit-tree -p HEAD -m ran {tree}").strip()
        self.run(f"git update-ref refs/ran {commit}")
        self.run(f"git init -q -b ran {folder}")
        self.run(f"git -C {folder} pull -q {self.folder} refs/ran")
        lend_environment(folder)
        return folder
