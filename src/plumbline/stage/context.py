"""The context of a stage script.

`execute` reads and checks the parameters, fixes seeds and threads, opens the run record, runs the
script's ``main`` and then moves its outputs into place, all or none. A failure, Ctrl-C or SIGTERM
leaves no output (a `Run.refusal` does), gives one clear line and an exit code that stops DVC from
locking anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from plumbline import params
from plumbline.artifacts import traces
from plumbline.artifacts.plain_text import visible
from plumbline.compat import kernels
from plumbline.errors import ArtifactError, ParamsError, PlumblineError, StaleError
from plumbline.monitoring import training
from plumbline.runs import (
    checkpoints,
    dependencies,
    dvc_files,
    lineage,
    log_lines,
    processes,
    provenance,
    record_files,
    records,
)
from plumbline.runs.fit_context import FitContext
from plumbline.stage import background_sync, failure, peak_memory, process, scratch, signals

log = logging.getLogger(__name__)


class Run:
    """The stage that is running: its parameters, seed, folders and record.

    Attributes
    ----------
    name : str
        Plain name, e.g. ``finetune@full``, also of a stage of a laboratory.
    item : str
        Name behind ``@``; empty where there is none.
    params : Params
        Of the root ``params.yaml``.
    study : Block or None
        Parameters of the laboratory; None in the default pipeline.
    seed : int
        Derived from ``params.seed`` and the plain name of the stage.
    root : Path
        Repository root; the working directory.
    work : Path
        Scratch folder for checkpoints, keyed by the stage's inputs and the installation; outside
        all outputs; see `scratch`.
    is_first : bool
        Whether this process is the one of several that records the run and leaves outputs.
    refusal : PlumblineError or None
        What the script's ``main`` sets if the stage must fail for what its outputs show: they are
        then moved into place all the same, DVC locks nothing, and the next repro runs it again.
    """

    refusal: PlumblineError | None = None

    def __init__(self, spec: dvc_files.StageSpec, parameters: params.Params, root: Path) -> None:
        self.spec = spec
        self.name = spec.name
        self.item = spec.name.partition("@")[2]
        self.params = parameters
        self.study = params.load_study(root, spec.lab)
        self.root = root
        self.seed = derive_seed(parameters.seed, spec.name)
        self.is_first = (rank := process.process_rank()) == "0"
        process.note_kernels(root, parameters, [spec])
        self.dep_digests = lineage.dep_digests(spec, root)
        blocks = dvc_files.raw_params(root, spec.params)
        self.param_digests = provenance.param_digests(blocks)
        environment = provenance.environment_digest(chosen := parameters.trainer.kernels)
        key = scratch.key(self.dep_digests, self.param_digests, environment)
        folder = root / record_files.WORK / "work" / spec.name
        self.work = folder / key
        self._lock = scratch.claim(folder, key) if self.is_first else None
        if self.is_first:
            self._staging = folder / f"outs-{os.getpid()}"
        else:  # not where the first process tidies up
            self._staging = folder.with_name(f"{spec.name}.rank{rank}")
            shutil.rmtree(self._staging, ignore_errors=True)
        self.record = self._open_record(
            lab=spec.lab,
            cmd=spec.cmd,
            seed=self.seed,
            threads=parameters.trainer.threads,
            environment=environment,
            params=blocks,
            param_digests=self.param_digests,
            tags={**provenance.code_tags(root), "kernels": kernels.describe(chosen)},
            deps=self.dep_digests,
            inputs=lineage.data_inputs(spec, self.dep_digests),
        )
        self._rest = processes.renew(self.record.folder) if self.is_first else lambda: None
        self._peak = peak_memory.watch() if self.is_first else lambda: 0

    def out(self, path: Path) -> Path:
        """Return where to write an output for now; it moves to ``path`` when the stage succeeds.

        Raises
        ------
        ValueError
            If ``dvc.yaml`` does not declare ``path`` (or a folder above it) as an output.
        """
        declared = [Path(out) for out in self.spec.outs]
        if not any(path == out or out in path.parents for out in declared):
            raise ValueError(f"{self.name}: out must be declared in dvc.yaml, got {path}")
        staged = self._staging / path
        staged.parent.mkdir(parents=True, exist_ok=True)
        return staged

    @property
    def trace(self) -> Path | None:
        """Where the steps of a fit are traced; None unless ``trainer.trace`` asks for it."""
        return self.record.folder / traces.FILE if self.params.trainer.trace else None

    @property
    def fit(self) -> FitContext:
        """The context of the fit of a stage that fits once."""
        return FitContext(
            stage=self.name,
            work=self.work / "fit",
            seed=self.seed,
            trainer=self.params.trainer,
            sink=self.metrics,
            check=self.check_unchanged,
            trace=self.trace,
        )

    def metrics(self, values: Mapping[str, float | None], *, step: int = 0) -> None:
        """Record metric values at a step."""
        self.record.metrics(values, step=step)

    def check_unchanged(self) -> None:
        """Check that the stage's inputs are those it began with.

        Raises
        ------
        StaleError
            If one has changed. Its checkpoints, which may come from either state, are removed.
        """
        if changed := self._changes():
            shutil.rmtree(self.work, ignore_errors=True)
            raise StaleError(
                f"{self.name}: dependencies must not change while the stage runs, got changes in "
                f"{', '.join(changed)}; run it again"
            )

    def commit(self) -> None:
        """Move the staged outputs into place after checking that every one was written.

        A signal that arrives meanwhile waits until the outputs are whole.

        Raises
        ------
        StaleError
            If a dependency changed since the stage began: the output belongs to neither state.
        """
        if not self.is_first:
            return
        missing = [out for out in self.spec.outs if not (self._staging / out).exists()]
        if missing:
            raise RuntimeError(f"{self.name}: outputs must be written, got none for {missing}")
        script = Path(sys.argv[0]).resolve()
        if unlisted := dependencies.unlisted(self.spec, sys.modules, script=script):
            where, named = self.spec.file, ", ".join(unlisted)
            log.warning("%s: deps in %s must list %s", self.name, where, named)
            self.record.update(tags={"deps.unlisted": " ".join(unlisted)})
        lineage.keep_outputs(self.record, self.spec, self._staging, self.root)
        training.keep(self.record, self.dep_digests, self.root)
        hashes = {out: dvc_files.content_hash(self._staging / out) for out in self.spec.outs}
        self.record.update(outs=hashes)
        self.check_unchanged()
        with signals.deferred():
            for out in self.spec.outs:
                target = self.root / out
                if target.is_dir() and not target.is_symlink():
                    shutil.rmtree(target)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(self._staging / out, target)
        shutil.rmtree(self.work, ignore_errors=True)

    def discard(self) -> None:
        """Remove staged outputs."""
        shutil.rmtree(self._staging, ignore_errors=True)

    def close(self, status: str, error: str | None = None) -> None:
        """Record how the run ended, and let another process run the stage."""
        if self._lock is None:
            return
        self._rest()
        try:
            self.record.close(status, error, peak_memory=self._peak())
        finally:
            self._lock.release()

    def _open_record(self, **fields: Any) -> records.RunRecord:
        if not self.is_first:  # goes where the outputs of the other processes go
            return records.open_record(self._staging, self.name, **fields)
        runs = records.runs_folder(self.root)
        if (folder := scratch.record_to_reopen(self.work, runs)) is not None:
            return records.RunRecord.reopen(folder, **fields)
        opened = records.open_record(self.root, self.name, **fields)
        scratch.note_record(self.work, opened.fields["key"])
        return opened

    def _changes(self) -> list[str]:
        changed = [
            dep
            for dep, before in self.dep_digests.items()
            if not (self.root / dep).exists() or dvc_files.content_hash(self.root / dep) != before
        ]
        # DVC reads the parameters once more when it writes the lock.
        try:
            found = provenance.param_digests(dvc_files.raw_params(self.root, self.spec.params))
            blocks = [name for name in found if found[name] != self.param_digests[name]]
            changed += [f"{self.spec.params[name]}:{name}" for name in blocks]
        except (OSError, ParamsError):
            changed += {*self.spec.params.values()}
        try:
            same = dvc_files.stage(self.root, self.name) == self.spec
        except (OSError, LookupError, TypeError, ArtifactError, ParamsError):
            same = False
        return sorted(changed) if same else sorted([*changed, f"{self.spec.file}:{self.name}"])


def execute(main: Callable[[Run], None]) -> NoReturn:
    """Run a stage script's ``main`` and exit with its code.

    The stage is ``$DVC_STAGE``; a script run by hand takes the stage whose command it is.
    """
    log_lines.configure()
    signals.install(at_once=process.process_rank() != "0")
    root = Path.cwd()
    run: Run | None = None
    try:
        process.use_own_sources(root)
        parameters = params.load(root / "params.yaml")
        process.fix_environment(parameters)
        run = Run(process.current_stage(root), parameters, root)
        signals.end_with(run.record.fields["pipeline"])
        if run.is_first:
            background_sync.start(root)
        main(run)
        run.commit()
        if run.refusal is not None:
            raise run.refusal
    except BaseException as error:
        signals.ignore()
        code, status, text = _diagnose(error, run)
        if run is None or run.is_first or status == records.FAILED:
            print(visible(text, keep="\n\t"), file=sys.stderr)
        with contextlib.suppress(OSError):  # a full disk must not hide the fault itself
            _record_failure(root, run, status, text)
        sys.stderr.flush()
        sys.exit(code)
    run.discard()
    run.close(records.FINISHED)
    sys.exit(0)


def derive_seed(seed: int, name: str) -> int:
    """Return a seed in [0, 2**32) that differs between stages but not between runs."""
    return int(hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()[:8], 16)


def _record_failure(root: Path, run: Run | None, status: str, text: str) -> None:
    if run is not None:
        run.discard()
        run.close(status, text)
    elif name := os.environ.get("DVC_STAGE", "").rpartition(":")[2]:  # before it could begin
        records.open_record(root, name, tags=provenance.code_tags(root)).close(status, text)
        background_sync.start(root)


def _diagnose(error: BaseException, run: Run | None) -> failure.Diagnosis:
    if run is None:  # it failed before it could begin
        return failure.diagnose(error, stage=os.environ.get("DVC_STAGE", "stage"))
    return failure.diagnose(error, stage=run.name, resumes=checkpoints.position(run.work))
