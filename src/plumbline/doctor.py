"""What a person asks when something looks wrong: the environment, the store, runs left open."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

from plumbline import artifacts, journal, params, provenance
from plumbline.errors import PlumblineError

log = logging.getLogger(__name__)


def examine(root: Path) -> int:
    """Log the state of things, deliver what waits and close dead runs; return 1 if that failed."""
    from plumbline.tracking import mirror, store

    try:
        threads = params.load(root / "params.yaml").trainer.threads
    except PlumblineError as error:
        log.error("%s", error)
        threads = 1
    log.info("%s", artifacts.dump_json(provenance.environment(root, threads=threads)).rstrip())
    log.info("torchvision: %s", _torchvision())
    home = journal.runs_folder(root).parent.parent
    stale = [record for record in _records(home) if _is_stale(record)]
    for record in stale:
        log.info("stale run: %s of %s, its process is gone", record["stage"], record["key"])
    outcome = mirror.sync(home)
    log.info("store: %s", outcome.down or store.address(home))
    log.info(
        "pipelines: %d running, %d waiting for the store, %d refused by it",
        outcome.live, outcome.waiting, outcome.refused,
    )  # fmt: skip
    return 1 if outcome.down or outcome.refused else 0


def serve_ui(root: Path, *, port: int) -> int:
    """Serve the MLflow UI in the foreground, with one worker and without the job runner."""
    from plumbline.tracking import store

    store.prepare_environment()
    home = journal.runs_folder(root).parent.parent
    uri = store.address(home)
    if uri.startswith("sqlite"):
        store.connect(home)  # made under a lock if it is not there yet
    command = [
        sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri,
        "--default-artifact-root", (home / "mlartifacts").as_uri(),
        "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    log.info("MLflow UI: http://127.0.0.1:%d/#/experiments (Ctrl-C ends it)", port)
    variables = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    try:
        return subprocess.run(command, env=variables, check=False).returncode
    except KeyboardInterrupt:
        return 0


def _records(home: Path) -> list[dict[str, object]]:
    return [journal.read_record(folder) for folder in journal.read_all(home)]


def _is_stale(record: dict[str, object]) -> bool:
    from plumbline.tracking import runs

    return record["status"] == journal.RUNNING and runs.ending(record) is not None


def _torchvision() -> str:
    """Import torchvision behind the guard in a process of its own and say how that went."""
    program = (
        "from plumbline import torchvision_guard; torchvision_guard.install(); "
        "import torchvision; print(torchvision.__version__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    text = done.stdout.strip() or done.stderr.strip().splitlines()[-1]
    return f"imports, version {text}" if done.returncode == 0 else f"does not import: {text}"
