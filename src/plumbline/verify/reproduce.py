"""Reproduction of results: run HEAD in a clean clone and compare every output.

The clone lies at another path, has an empty cache and another hash seed and time zone, and imports
its own sources; whatever git holds of earlier results is deleted in it before the run. It traces
every step of every fit, which changes no output: where a model is broken, the first step at which
two fits of it diverge is named.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plumbline import artifacts, params
from plumbline.errors import ArtifactError, ParamsError
from plumbline.params.apply import merge, read_layer, write_layer
from plumbline.runs import dvc_files, provenance
from plumbline.runs.findings import Finding
from plumbline.stage import run_dvc
from plumbline.verify import causes, diff_runs, machines, tolerances

log = logging.getLogger(__name__)

_TRACED = {"trainer": {"trace": True}}
# Surroundings that must not change results; each clone gets one.
_SURROUNDINGS = (
    {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo"},
    {"PYTHONHASHSEED": "2", "TZ": "America/Lima"},
)


def run(
    root: Path,
    *,
    overlays: Sequence[Path] = (),
    clones: int = 1,
    keep: bool = False,
    jobs: int | None = None,
) -> int:
    """Verify the work tree ``root`` and return the exit code.

    Parameters
    ----------
    root : Path
        Work tree whose HEAD is verified.
    overlays : sequence of Path
        YAML files applied to the parameters in the clones, the later over the earlier; they need
        two clones.
    clones : {1, 2}
        One clone is compared with the committed ``dvc.lock``, two with each other.
    keep : bool
        Leave the clones where they are.
    jobs : int, optional
        Stages at once; as many as the processors hold by default.

    Raises
    ------
    ArtifactError
        If there is no commit, no committed lock to compare with, or a clone fails to run.
    """
    if overlays and clones != 2:
        raise ParamsError(
            "verify: --params must come with --clones 2, got 1 clone; the committed dvc.lock was "
            "made with other parameters"
        )
    layers = [read_layer(path, where="verify: --params") for path in overlays]
    layer = functools.reduce(merge, [*layers, _TRACED])
    base = Path(tempfile.mkdtemp(prefix="plumbline-verify-"))
    try:
        made = [_clone(root, base / name / "plumbline") for name in ("first", "second")[:clones]]
        expected = {} if clones == 2 else _committed_lock(made[0])
        for index, clone in enumerate(made):
            log.info("verify: run %d of %d in %s", index + 1, clones, clone)
            _repeat(clone, layer, _SURROUNDINGS[index], jobs)
        found = _findings(root, made, expected)
        tolerances.show(found)
        _explain(root, made, expected, found)
        return 1 if any(finding.broken for finding in found) else 0
    finally:
        if not keep:
            shutil.rmtree(base, ignore_errors=True)


def _clone(root: Path, target: Path) -> Path:
    if not provenance.git(root, "rev-parse", "HEAD"):
        raise ArtifactError(f"verify: {root.name} must be a git repository with a commit, got none")
    if change := provenance.git(root, "status", "--porcelain", "--untracked-files=no"):
        count = len(change.splitlines())
        log.warning("verify: %d changed files are not committed; HEAD is verified", count)
    _must(["git", "clone", "--quiet", "--no-hardlinks", str(root), str(target)], cwd=root)
    return target


def _committed_lock(clone: Path) -> dict[str, dvc_files.LockEntry]:
    entries = dvc_files.read_lock(clone)
    if not entries:
        raise ArtifactError(
            "verify: dvc.lock must be committed, got none at HEAD; run the pipeline and commit it"
        )
    return entries


def _repeat(
    clone: Path, layer: Mapping[str, Any], surroundings: Mapping[str, str], jobs: int | None
) -> None:
    """Run the pipelines of a clone that have a committed lock, or all if none has, from nothing."""
    write_layer(clone, layer)
    locks = [(clone / file).with_name(dvc_files.DVC_LOCK) for file in dvc_files.files(clone)]
    pipelines = [lock.with_name(dvc_files.DVC_YAML) for lock in locks if lock.exists()]
    for lock in locks:
        lock.unlink(missing_ok=True)
    for spec in dvc_files.stages(clone).values():
        for out in spec.outs:
            path = clone / out
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    provenance.note_kernels(clone, params.load(clone / "params.yaml").trainer)
    variables = _variables(clone, surroundings)
    _must([sys.executable, "-c", _OWN_SOURCES, str(clone / "src")], cwd=clone, variables=variables)
    words = [os.fspath(path.relative_to(clone)) for path in pipelines] or ["-P"]
    _repro(clone, variables, words, jobs)


def _repro(
    clone: Path, variables: Mapping[str, str], words: Sequence[str], jobs: int | None = None
) -> None:
    parameters = params.load(clone / "params.yaml")
    command = run_dvc.repro_command(parameters, words, run_dvc.jobs_of(parameters, jobs))
    done = subprocess.run(command, cwd=clone, env=variables, check=False)
    if done.returncode:
        raise ArtifactError(
            f"verify: the pipeline must run in a clean clone, got exit code {done.returncode}; "
            "its messages stand above"
        )


# The package is installed from the work tree; a clone that imported that one would prove nothing.
_OWN_SOURCES = (
    "import pathlib, sys, plumbline; "
    "sys.exit(pathlib.Path(sys.argv[1]).resolve() not in pathlib.Path(plumbline.__file__).parents)"
)


def _variables(clone: Path, surroundings: Mapping[str, str]) -> dict[str, str]:
    own = clone.parent / "dvc"
    return {
        **run_dvc.environment(),
        **surroundings,
        "PYTHONPATH": os.fspath(clone / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PLUMBLINE_TRACKING": "off",
        "DVC_GLOBAL_CONFIG_DIR": os.fspath(own / "global"),
        "DVC_SYSTEM_CONFIG_DIR": os.fspath(own / "system"),
        "DVC_SITE_CACHE_DIR": os.fspath(own / "site"),
        "DVC_ROOT": os.fspath(clone),
    }


def _must(command: Sequence[str], *, cwd: Path, variables: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=cwd, env=variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise ArtifactError(f"verify: {command[0]} must succeed, got {said}")


def _findings(
    root: Path, clones: Sequence[Path], expected: Mapping[str, dvc_files.LockEntry]
) -> list[Finding]:
    new = dvc_files.read_lock(clones[-1])
    if len(clones) == 2:
        log.info("verify: two clones of one machine, compared bit by bit")
        return tolerances.compare(dvc_files.read_lock(clones[0]), new, clones[0], clones[1])
    made = {out for entry in expected.values() for out in entry.outs}
    why = causes.find(expected, new, made, dict.fromkeys(new, _machine(clones[0])))
    log.info("verify: %s", _manner(new, why))
    with tempfile.TemporaryDirectory() as scratch:
        reference = tolerances.committed_files(clones[0], Path(scratch), root, expected)
        return tolerances.compare(expected, new, reference, clones[0], causes=why)


def _machine(clone: Path) -> str:
    """Return how this machine differs from the one that made the committed lock."""
    text = provenance.git(clone, "show", f"HEAD:{provenance.ENVIRONMENT.as_posix()}")
    noted = json.loads(text) if text else None
    here = provenance.environment(clone, params.load(clone / "params.yaml").trainer)
    return machines.differences(noted, artifacts.plain(here))


def _manner(new: Mapping[str, dvc_files.LockEntry], why: Mapping[str, causes.Cause]) -> str:
    """Return how outputs are compared, and why."""
    kernels = dict.fromkeys(entry.params.get(causes.KERNELS) for entry in new.values())
    named = ", ".join(f"{each} kernels" for each in kernels if each)
    notes = dict.fromkeys(cause.note for cause in why.values() if cause.note)
    compared = f"compared bit by bit{named and f' ({named})'}"
    if not notes:
        return compared
    return f"{compared}, other bits within the tolerance of each kind of file: {'; '.join(notes)}"


def _explain(
    root: Path,
    clones: Sequence[Path],
    expected: Mapping[str, dvc_files.LockEntry],
    found: Sequence[Finding],
) -> None:
    """Name the first step at which the fits of a broken model diverge.

    Two clones have a trace each. A lock was made long ago: if the work tree still holds a traced
    run with the very outputs of the lock, it is compared with the clone's; otherwise the stage is
    run once more in the clone, to see whether two runs of this code here agree.
    That is done for the first broken model alone, on which others may rest.
    """
    # An output of a stage that one side lacks has no path.
    broken = dict.fromkeys(finding.where for finding in found if finding.broken and finding.what)
    traced = {
        stage: folder
        for stage in broken
        if (folder := diff_runs.newest_traced(clones[-1], stage)) is not None
    }
    for stage, folder in traced.items():
        if len(clones) == 2:
            other = diff_runs.newest_traced(clones[0], stage)
        else:
            other = diff_runs.newest_traced(root, stage, expected[stage].outs)
        if other is not None:
            diff_runs.compare(diff_runs.of_record(other), diff_runs.of_record(folder))
        elif len(clones) == 1:
            log.info("verify: %s is run once more, to see whether two runs here agree", stage)
            variables = _variables(clones[0], _SURROUNDINGS[1])
            address = dvc_files.stage(clones[0], stage).address
            _repro(clones[0], variables, ["--single-item", "--force", address])
            again = diff_runs.newest_traced(clones[0], stage)
            assert again is not None
            runs = diff_runs.of_record(folder), diff_runs.of_record(again)
            if diff_runs.compare(*runs) is None:
                log.info(
                    "verify: two runs of %s here have the same bits; the lock was made by other "
                    "code, in another environment or by chance",
                    stage,
                )
            return
