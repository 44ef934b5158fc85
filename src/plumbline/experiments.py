"""What a DVC experiment left: its files from git when its folder is gone, and what it changed.

``dvc exp run --temp`` and queued experiments run in ``.dvc/tmp/exps/…``, which DVC deletes; their
result is a commit below ``refs/exps/``.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from plumbline import provenance

NAME, BASELINE = "dvc.exp_name", "dvc.exp_baseline"


@contextmanager
def result_tree(home: Path, root: Path, tags: Mapping[str, str]) -> Iterator[Path | None]:
    """Yield a folder with the files of a pipeline: its work tree, or what git has of it.

    Parameters
    ----------
    home : Path
        The main work tree.
    root : Path
        Where the pipeline ran.
    tags : mapping
        `provenance.code_tags` of one of its stages.

    Yields
    ------
    Path or None
        ``root`` itself while it exists; else a temporary folder with the experiment's commit (its
        reports and lock, not the data that DVC caches), None if there is no such commit.
    """
    if (root / "dvc.yaml").exists():
        yield root
        return
    commit = find(home, tags.get(NAME, ""), tags.get(BASELINE, ""))
    packed = _archive(home, commit) if commit else b""
    if not packed:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="plumbline-experiment-") as scratch:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(scratch, filter="data")
        yield Path(scratch)


def find(home: Path, name: str, baseline: str = "") -> str:
    """Return the commit of an experiment, empty if there is none of that name (and baseline)."""
    if not name:
        return ""
    listed = provenance.git(home, "for-each-ref", "--format=%(refname) %(objectname)", "refs/exps")
    for line in listed.splitlines():
        ref, commit = line.split()
        parts = ref.split("/")  # refs/exps/<2>/<38>/<name>
        if parts[-1] == name and (not baseline or "".join(parts[2:4]) == baseline):
            return commit
    return ""


def changed_params(home: Path, tree: Path, baseline: str) -> dict[str, Any]:
    """Return the parameters, by dotted name, in which a tree differs from the commit ``baseline``.

    A parameter that is no longer there is None.
    """
    old = provenance.git(home, "show", f"{baseline}:params.yaml") if baseline else ""
    path = tree / "params.yaml"
    if not old or not path.exists():
        return {}
    before, after = (
        dict(_leaves(yaml.safe_load(text))) for text in (old, path.read_text(encoding="utf-8"))
    )
    names = [*after, *(name for name in before if name not in after)]
    return {
        name: after.get(name)
        for name in names
        if name not in before or name not in after or before[name] != after[name]
    }


def _archive(home: Path, commit: str) -> bytes:
    done = subprocess.run(
        ["git", "archive", "--format=tar", commit], cwd=home, capture_output=True, check=False
    )
    return done.stdout if done.returncode == 0 else b""


def _leaves(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _leaves(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, node
