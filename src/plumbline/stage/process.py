"""The process that a stage runs in: its place among others, sources, threads and mirror."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import filelock

from plumbline import names, params
from plumbline.errors import StaleError
from plumbline.runs import records

log = logging.getLogger(__name__)

LONGEST_WAIT = 60.0  # seconds for MLflow to take the runs of a pipeline that has ended


def process_rank() -> str:
    """Return what tells this process from the others of one training; ``0`` for the first.

    Known are RANK (torchrun), LOCAL_RANK and NODE_RANK (`plumbline.training.engine.processes`, or
    by hand) and SLURM_PROCID (srun), in this order.
    """
    known = os.environ
    if "RANK" in known:
        return known["RANK"]
    if "LOCAL_RANK" in known or "NODE_RANK" in known:
        node, local = known.get("NODE_RANK", "0"), known.get("LOCAL_RANK", "0")
        return local if node == "0" else f"{node}.{local}"
    return known.get("SLURM_PROCID", "0")


def use_own_sources(root: Path) -> None:
    """Begin again with the library of this work tree if another one was imported.

    A clone or a temporary experiment that shares an environment with the main work tree would
    compute with the sources of that one, and DVC would lock the hashes of its own.
    """
    own = root / "src" / "plumbline"
    if not own.is_dir() or own.samefile(Path(__file__).parents[1]):
        return
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if paths[0] == os.fspath(own.parent):
        raise StaleError(
            f"stage: library must be that of this work tree, got {Path(__file__).parents[1]}; "
            "uninstall plumbline or install it from here"
        )
    path = os.pathsep.join([os.fspath(own.parent), *filter(None, paths)])
    os.execve(sys.executable, sys.orig_argv, {**os.environ, "PYTHONPATH": path})


def fix_environment(parameters: params.Params) -> None:
    """Set what thread pools, cuBLAS and matplotlib read once, when they are imported."""
    # A passive wait keeps two threads on busy cores from spinning against each other.
    threads = str(parameters.trainer.threads)
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = threads
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic cuBLAS
    os.environ.setdefault("MPLBACKEND", "Agg")


def start_mirror(root: Path) -> subprocess.Popen[bytes] | None:
    """Start the process that mirrors journals into MLflow, unless it runs or is switched off.

    It is a process of its own so that no stage waits for MLflow's import or for a server.
    """
    if os.environ.get("PLUMBLINE_TRACKING", "on") == "off":
        return None
    home = records.runs_folder(root).parent
    if not records.ask_for_mirror(home):
        return None
    with (home / "sync.log").open("ab") as sink:
        return subprocess.Popen(
            [sys.executable, "-m", "plumbline.cli", "sync", "--follow", "--root", str(home.parent)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd=home.parent,
            start_new_session=True,
        )


def environment() -> dict[str, str]:
    """Return the environment of a pipeline: this interpreter first on the path, no telemetry."""
    here = os.path.dirname(sys.executable)
    path = os.pathsep.join([here, os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1"}


def wait_for_mirror(root: Path, *, seconds: float = LONGEST_WAIT) -> bool:
    """Wait until no mirror is at work; say whether that came within the time."""
    home = records.runs_folder(root).parent
    if not (home / "sync.lock").exists():
        return True
    try:
        with records.mirror_lock(home).acquire(timeout=seconds, poll_interval=0.1):
            return True
    except filelock.Timeout:
        log.warning("MLflow is still being filled; see %s", names.WORK / "sync.log")
        return False
