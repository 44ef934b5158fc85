"""Results of DVC experiments: their files, also from git, and their changed parameters.

``dvc exp run --temp`` and queued experiments run in ``.dvc/tmp/exps/…``, which DVC deletes; their
result is a commit below ``refs/exps/``.
"""

from __future__ import annotations

import io
import logging
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from plumbline import names
from plumbline.artifacts import yaml_text
from plumbline.runs import dvc_files, provenance

log = logging.getLogger(__name__)

NAME, BASELINE = "dvc.exp_name", "dvc.exp_baseline"


class Times(NamedTuple):
    """By what the commit of a pipeline is told from those of earlier experiments of its name.

    Attributes
    ----------
    started, ended : int
        When its first stage began and its last one ended, in milliseconds.
    stage_keys : frozenset of str
        `records.stage_key` of the stages it ran: a commit that holds them all is its own, whatever
        the clock said.
    """

    started: int
    ended: int
    stage_keys: frozenset[str] = frozenset()


COLLECTED_WITHIN = 30.0  # seconds between the end of an experiment's process and its commit


def is_temporary(root: Path) -> bool:
    """Say whether a folder is one that DVC makes for an experiment and deletes."""
    return names.EXPERIMENTS in f"{root.as_posix()}/"


def may_be_collected(home: Path, root: Path, tags: Mapping[str, str], times: Times) -> bool:
    """Say whether DVC may be about to commit an experiment and delete its folder.

    Workers of a queue do that after the experiment's own process has ended; to read the folder
    meanwhile would be to read half of it.
    """
    waited = abs(time.time() - times.ended / 1000)  # a clock may be set back meanwhile
    return (
        is_temporary(root)
        and root.exists()
        and waited < COLLECTED_WITHIN
        and not _commit(home, tags, times)
    )


@contextmanager
def result_tree(
    home: Path, root: Path, tags: Mapping[str, str], times: Times
) -> Iterator[Path | None]:
    """Yield a folder with the files of a pipeline: its work tree, or what git has of it.

    Parameters
    ----------
    home : Path
        The main work tree.
    root : Path
        Where the pipeline ran.
    tags : mapping
        `provenance.code_tags` of one of its stages.
    times : Times
        Of the pipeline; a commit from before it belongs to an earlier experiment of that name.

    Yields
    ------
    Path or None
        ``root`` itself, of an experiment a folder with its commit (its reports and lock, not the
        data that DVC caches) once there is one; None if there is neither.
    """
    commit = _commit(home, tags, times)
    packed = _archive(home, commit) if commit else b""
    if packed:
        with tempfile.TemporaryDirectory(prefix="plumbline-experiment-") as scratch:
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                _extract(archive, Path(scratch))
            yield Path(scratch)
    else:
        yield root if (root / "dvc.yaml").exists() else None


def _extract(archive: tarfile.TarFile, folder: Path) -> None:
    """Extract the files of a commit, and the links that stay inside of it.

    Filters of tarfile came with Python 3.11.4. A commit may hold links to data elsewhere, but no
    output of a stage is such a link.
    """
    for member in archive:
        target = folder / member.name
        linked = os.path.normpath(os.path.join(os.path.dirname(member.name), member.linkname))
        if not _is_inside(member.name) or (member.issym() and not _is_inside(linked)):
            log.warning("sync: %s of an experiment is left out: it leads elsewhere", member.name)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if member.issym():
            target.symlink_to(member.linkname)
        elif (content := archive.extractfile(member)) is not None:  # else a folder
            with content, target.open("xb") as sink:
                shutil.copyfileobj(content, sink)


def _is_inside(path: str) -> bool:
    return not os.path.isabs(path) and ".." not in path.split("/")


def find(
    home: Path,
    name: str,
    baseline: str = "",
    *,
    since: float = 0.0,
    stage_keys: Set[str] = frozenset(),
) -> str:
    """Return the commit of an experiment, empty if there is none.

    Parameters
    ----------
    home : Path
        The main work tree.
    name : str
    baseline : str
        Full id of the commit the experiment started from; empty for any.
    since : float
        Seconds since the epoch before which no commit counts, unless it holds ``stage_keys``.
    stage_keys : set of str
        Fingerprints of lock entries; see `Times`.
    """
    if not name:
        return ""
    form = "--format=%(refname) %(objectname) %(committerdate:unix)"
    for line in provenance.git(home, "for-each-ref", form, "refs/exps").splitlines():
        ref, commit, made = line.split()
        parts = ref.split("/")  # refs/exps/<2>/<38>/<name>
        of_baseline = not baseline or "".join(parts[2:4]) == baseline
        if parts[-1] != name or not of_baseline:
            continue
        if float(made) >= int(since) or (stage_keys and stage_keys <= _locked(home, commit)):
            return commit
    return ""


def changed_params(home: Path, tree: Path, baseline: str) -> dict[str, Any]:
    """Return the parameters, by dotted name, in which a tree differs from the commit ``baseline``.

    The files of all pipelines are compared. A parameter that is no longer there is None.
    """
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for file in [Path(file).with_name(dvc_files.PARAMS) for file in dvc_files.files(tree)]:
        old = provenance.git(home, "show", f"{baseline}:{file.as_posix()}") if baseline else ""
        if old and (tree / file).exists():
            before |= _leaves(yaml_text.parse(old, str(file)))
            after |= _leaves(yaml_text.parse((tree / file).read_text(encoding="utf-8"), str(file)))
    names = [*after, *(name for name in before if name not in after)]
    return {
        name: after.get(name)
        for name in names
        if name not in before or name not in after or before[name] != after[name]
    }


def _commit(home: Path, tags: Mapping[str, str], times: Times) -> str:
    name, baseline, since = tags.get(NAME, ""), tags.get(BASELINE, ""), times.started / 1000
    return find(home, name, baseline, since=since, stage_keys=times.stage_keys)


def _locked(home: Path, commit: str) -> set[str]:
    """Return the fingerprints of all lock entries in a commit."""
    paths = provenance.git(home, "ls-tree", "-r", "--name-only", commit).splitlines()
    locks = [path for path in paths if Path(path).name == dvc_files.DVC_LOCK]
    texts = [provenance.git(home, "show", f"{commit}:{path}") for path in locks]
    return {entry.fingerprint for text in texts for entry in dvc_files.lock(text).values()}


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
