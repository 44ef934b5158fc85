"""Diagnosis of a work tree, its environment and its MLflow store; the MLflow UI."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

from plumbline import artifacts, params
from plumbline.compat import kernels
from plumbline.compat.threads import processors
from plumbline.errors import PlumblineError
from plumbline.runs import provenance, record_files, records
from plumbline.stage.scheduler import jobs

log = logging.getLogger(__name__)


def examine(root: Path) -> int:
    """Log the environment and store, deliver waiting runs, close dead ones; return 1 on failure."""
    from plumbline.tracking import store, sync

    try:
        trainer = params.load(root / "params.yaml").trainer
    except PlumblineError as error:
        log.error("%s", error)
    else:
        log.info("%s", artifacts.dump_json(provenance.environment(root, trainer)).rstrip())
        _log_processor(trainer.kernels, trainer.threads)
    log.info("torchvision: %s", _torchvision())
    home = records.main_tree(root)
    for folder in record_files.read_all(home):
        record = record_files.read_record(folder)
        if record["status"] == records.RUNNING and records.ending(record, folder):
            log.info("stale run: %s of %s, its process is gone", record["stage"], record["key"])
    outcome = sync.sync(home)
    log.info("store: %s", outcome.down or store.shown_address(home))
    log.info(
        "pipelines: %d running, %d waiting for the store; values not taken by it: %d",
        outcome.live, outcome.waiting, outcome.refused,
    )  # fmt: skip
    return 1 if outcome.down or outcome.refused else 0


def _log_processor(chosen: kernels.Choice, threads: int) -> None:
    """Log the kernels that stages compute with, and how many stages run at once."""
    note = ""
    if not kernels.available():
        note = "; the portable ones need an x86-64 with AVX2, and no GLIBC_TUNABLES that mask it"
    elif chosen == "native":
        note = "; the portable ones are available here: trainer.kernels: portable"
    log.info("kernels: %s%s", kernels.describe(chosen), note)
    log.info(
        "processor: %s, %d available to this process; stages at once: %d (plumbline repro -j N)",
        kernels.processor().model or "of unknown model", processors(), jobs.default(threads),
    )  # fmt: skip


def prune(root: Path, *, days: float) -> int:
    """Remove and log old run records that are in MLflow and that ``dvc.lock`` does not link to."""
    from plumbline.tracking import pruning

    home = records.main_tree(root)
    try:
        removed = pruning.prune(home, days=days)
    except Exception as error:  # whatever a store or its network can raise
        return _no_answer("doctor", home, error, "nothing was removed")
    for one in removed:
        log.info("removed: run record %s, %d bytes", one.key, one.freed)
    freed = sum(pruned.freed for pruned in removed)
    log.info("removed: %d run records, %d bytes freed", len(removed), freed)
    return 0


def serve_ui(root: Path, *, port: int) -> int:
    """Serve the MLflow UI in the foreground, with one worker and without the job runner.

    If the store is an MLflow server, which has its own UI, only log its address.
    """
    from plumbline.tracking import pages, store
    from plumbline.tracking.model_runs import views

    home = records.main_tree(root)
    uri = store.address(home)
    try:
        opened = store.connect(home)  # makes the default database under a lock if it is not there
        views.refresh(opened, [])  # without its view the first address opens an error
    except Exception as error:  # whatever a store or its network can raise
        return _no_answer("ui", home, error, "start it first")
    served = uri.startswith("http")
    place = store.shown_address(home).rstrip("/") if served else f"http://127.0.0.1:{port}"
    end = "" if served else " (Ctrl-C ends it)"
    log.info("MLflow UI, all models: %s/%s%s", place, pages.models(opened), end)
    if newest := pages.newest_pipeline(opened, home):
        log.info("newest pipeline, with links that compare its models: %s/%s", place, newest)
    log.info("all pipelines and their stages: %s/%s", place, pages.runs(opened))
    if served:
        return 0
    command = [
        sys.executable, "-m", "mlflow", "server",
        "--default-artifact-root", store.artifact_root(home),
        "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    # Not as an argument: every user of the machine can list those, and there may be a password.
    variables = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return _serve(command, {**os.environ, **variables})


def _serve(command: list[str], variables: dict[str, str]) -> int:
    """Run a server in the foreground; a signal to stop ends the server and its workers too.

    Such are SIGTERM, Ctrl-C, which a shell lets its background jobs ignore, and a closed terminal.
    """
    server = subprocess.Popen(command, env=variables, start_new_session=True)
    told: list[object] = []

    def end(*signals: object) -> None:
        told.extend(signals)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)

    stops = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in stops}
    try:
        code = server.wait()
    finally:
        end()
        server.wait()
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0 if told else code


def _no_answer(command: str, home: Path, error: Exception, note: str) -> int:
    from plumbline.tracking import store

    said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    address = store.shown_address(home)
    log.error("%s: store %s must answer, got %s; %s", command, address, said, note)
    return 1


def _torchvision() -> str:
    """Return whether torchvision imports, tried in a process of its own behind the guard."""
    program = (
        "from plumbline.compat import torchvision; torchvision.install(); "
        "import torchvision; print(torchvision.__version__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    text = done.stdout.strip() or done.stderr.strip().splitlines()[-1]
    return f"imports, version {text}" if done.returncode == 0 else f"does not import: {text}"
