"""The process that a stage runs in: its place among others, sources, threads and kernels."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from plumbline import params
from plumbline.compat import kernels
from plumbline.errors import ArtifactError, StaleError
from plumbline.runs import dvc_files, provenance

log = logging.getLogger(__name__)


def process_rank() -> str:
    """Return the rank of this process among those of one training; ``0`` for the first.

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
    """Set what thread pools, kernels, cuBLAS and matplotlib read once, when they are imported.

    Raises
    ------
    PlumblineError
        If a numerical library with other kernels is imported already.
    """
    kernels.pin(parameters.trainer.kernels)
    # A passive wait keeps two threads on busy cores from spinning against each other.
    threads = str(parameters.trainer.threads)
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = threads
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic cuBLAS
    os.environ.setdefault("MPLBACKEND", "Agg")


def current_stage(root: Path) -> dvc_files.StageSpec:
    """Return ``$DVC_STAGE``; of a script run by hand, the stage whose command it is."""
    if name := os.environ.get("DVC_STAGE"):
        return dvc_files.stage(root, name)
    words = [Path(sys.argv[0]).name, *sys.argv[1:]]
    for spec in dvc_files.stages(root).values():
        if [Path(word).name for word in spec.cmd.split()[1:]] == words:
            return spec
    raise ArtifactError(f"dvc.yaml: a stage must have the command {' '.join(words)!r}")


def note_kernels(
    root: Path, parameters: params.Params, specs: Iterable[dvc_files.StageSpec]
) -> None:
    """Let DVC record the kernels of this machine for stages, whatever another computed with.

    Every process of a training does: a slower one must not find the former entry.
    """
    file = provenance.ENVIRONMENT.as_posix()
    if not any(spec.params.get("kernels") == file for spec in specs):
        return
    before, now = provenance.note_kernels(root, parameters.trainer)
    if before not in (None, now):
        log.warning(
            "%s: kernels were %r and are %r now; `plumbline repro` runs again what used the former",
            file, before, now,
        )  # fmt: skip
