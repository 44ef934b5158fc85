"""``dvc repro`` with a progress display; then wait for MLflow and print the table of models."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any

import filelock

from plumbline import params
from plumbline.compat import kernels
from plumbline.errors import ArtifactError
from plumbline.runs import dvc_files, processes, provenance, records
from plumbline.stage import background_sync, run_dvc
from plumbline.stage.process import note_kernels
from plumbline.stage.scheduler import one_user
from plumbline.tracking import references
from plumbline.verify import outcome

log = logging.getLogger(__name__)

# DVC prints one of these lines before each stage.
_STAGE_LINE = re.compile(
    rb"(?:Running stage '(?P<run>[^']+)':"
    rb"|Stage '(?P<skip>[^']+)' (?:didn't change, skipping|is cached - skipping run))"
)


def run(
    root: Path,
    arguments: Sequence[str],
    dvc: run_dvc.Waiting,
    *,
    jobs: int | None = None,
    results: bool = True,
) -> int:
    """Run ``dvc repro`` with ``arguments`` in ``root`` and return its exit code.

    Parameters
    ----------
    root : Path
    arguments : sequence of str
    dvc : run_dvc.Waiting
        Of ``root``.
    jobs : int or None
        Stages at once; None: as many as the processors hold.
    results : bool
        Whether the table of models, or the claims of the laboratories that are named, are printed.
    """
    parameters = params.load(root / "params.yaml")
    if not provenance.git(root, "rev-parse", "--git-dir"):
        raise ArtifactError(
            f"repro: work tree must be in git, got none at {root}; "
            "git init && git add -A && git commit -m 'First commit'"
        )
    jobs = run_dvc.jobs_of(parameters, jobs)
    with one_user.alone(root):
        _catch_up(root)
        before = outcome.state(root)
        covered = _covered(root, arguments)
        if "--dry" not in arguments:
            _choose_kernels(root, parameters)
        dvc.begin(run_dvc.repro_words(parameters, arguments, jobs), piped=jobs == 1)
        code, pipeline = _follow(dvc, len(covered), jobs)
        found = outcome.examine(root, before, covered, failed=code != 0)
    if dvc_files.lock_text(root) != before.locks:
        provenance.write_environment(root, parameters.trainer)
        restored = references.note_restored(root, pipeline)
        if restored and (sync := background_sync.start(root)):
            with contextlib.suppress(subprocess.TimeoutExpired):
                sync.wait(background_sync.LONGEST_WAIT)
    if background_sync.wait(root) and (
        refused := background_sync.served(records.main_tree(root)).get("refused")
    ):
        log.warning("MLflow did not take %d values; `plumbline sync` names them", refused)
    if code == 0 and results:
        _show(root, arguments)
    if code == 0 and parameters.registry.models and "--dry" not in arguments:
        from plumbline.cli.models import registry

        code = registry.register_covered(root, parameters.registry.models, covered)
    if "--dry" not in arguments:
        outcome.show(found)
    return code


def _show(root: Path, arguments: Sequence[str]) -> None:
    from plumbline.cli.pipeline import exercise, summary
    from plumbline.studies.framework import study

    files = {f"studies/{lab}/{dvc_files.DVC_YAML}": lab for lab in study.labs()}
    named = [files[word] for word in arguments if word in files]
    for lab in named:
        exercise.show_lab(root, lab)
    if not named:
        summary.show(root)


def _follow(dvc: run_dvc.Waiting, total: int, jobs: int) -> tuple[int, dict[str, Any]]:
    """Wait for the end of DVC; return its exit code and its identity."""
    process = dvc.process
    pipeline = processes.pipeline_of(process.pid)
    # Ctrl-C reaches dvc and its stages too; all must end before this process does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _forward(process))
    importlib.import_module("plumbline.cli.pipeline.summary")  # here it takes no time of its own
    if jobs == 1:  # with several jobs DVC has a display of its own
        Progress(total).relay(dvc.stdout)
    code = process.wait()
    if code < 0 and sys.stdout.isatty():  # killed, and could not show the cursor again
        print("\n\x1b[?25h", end="", flush=True)
    return code, pipeline


class Progress:
    """Copies the output of DVC and replaces its line before each stage by a line of progress.

    Parameters
    ----------
    total : int
        Number of stages that the command covers.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._seen: set[bytes] = set()
        self._began = time.monotonic()

    def relay(self, stream: IO[bytes], sink: IO[bytes] | None = None) -> None:
        """Copy ``stream`` as it comes, progress bars included, until its end."""
        out = sink or sys.stdout.buffer
        held = b""  # an incomplete line that may name a stage
        while chunk := os.read(stream.fileno(), 65536):
            for piece in re.split(rb"(?<=[\n\r])", held + chunk):
                if _may_name_stage(piece):
                    held = piece
                    continue
                held = b""
                found = _STAGE_LINE.match(piece)
                out.write(self._heading(found) if found else piece)
            out.flush()
        out.write(held)
        out.flush()

    def _heading(self, found: re.Match[bytes]) -> bytes:
        name = found["run"] or found["skip"]
        self._seen.add(name)
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        what = "" if found["run"] else " up to date"
        text = f"[{len(self._seen)}/{self._total}] {minutes}:{seconds:02d} "
        return text.encode() + name + what.encode() + b"\n"


def _may_name_stage(piece: bytes) -> bool:
    """Return whether an incomplete line of output may become a line that names a stage."""
    if not piece or piece.endswith((b"\n", b"\r")):
        return False
    starts = (b"Running stage '", b"Stage '")
    return any(piece.startswith(start[: len(piece)]) for start in starts)


def _choose_kernels(root: Path, parameters: params.Params) -> None:
    """Tell DVC the kernels of this machine, so that it runs what others have made again."""
    chosen = parameters.trainer.kernels
    if kernels.effective(chosen) != chosen:
        log.warning(
            "repro: this processor cannot run the portable kernels, which need an x86-64 with AVX2 "
            "(and no masked instructions in GLIBC_TUNABLES); its own are used"
        )
    note_kernels(root, parameters, dvc_files.stages(root).values())


def _catch_up(root: Path) -> None:
    """Record the outputs that earlier commands restored; a new clone has none."""
    if references.latest(root, root) is None:
        return
    at_once = background_sync.lock(root)
    with contextlib.suppress(filelock.Timeout), at_once.acquire(timeout=0):
        references.catch_up(root)  # the process that holds the lock has done it


def _covered(root: Path, arguments: Sequence[str]) -> set[str]:
    """Return the stages that a command covers: the named ones and what they depend on.

    Stages and files can be named; without one, the default pipeline is.
    """
    specs, words = dvc_files.stages(root), set(arguments)
    if not words & {"-P", "--all-pipelines"}:
        known = {word for n, spec in specs.items() for word in (n, spec.address, spec.file)}
        words = words & known or {dvc_files.DVC_YAML}
        todo = {n for n, spec in specs.items() if words & {n, spec.address, spec.file}}
    else:
        todo = set(specs)
    makers = {out: name for name, spec in specs.items() for out in spec.outs}
    below: dict[str, set[str]] = {}  # makers of what is at or below a path
    for out, name in makers.items():
        for path in _at_and_above(out):
            below.setdefault(path, set()).add(name)
    covered: set[str] = set()
    if {"-s", "--single-item"} & set(arguments):
        return todo
    while todo:
        covered.add(name := todo.pop())
        for dep in specs[name].deps:
            above = {makers[path] for path in _at_and_above(dep) if path in makers}
            todo |= (above | below.get(dep, set())) - covered
    return covered


def _at_and_above(path: str) -> Iterator[str]:
    """Yield a path of `StageSpec`, and every folder that it is in."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _forward(process: subprocess.Popen[bytes]) -> Callable[[int, FrameType | None], None]:
    def handler(signum: int, frame: FrameType | None) -> None:
        process.send_signal(signum)

    return handler
