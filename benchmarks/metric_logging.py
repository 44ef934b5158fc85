"""Metric logging: its share of training, beside MLflow, and the values that a kill loses."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from plumbline.compat import torchvision

torchvision.install()

import pandas as pd  # noqa: E402
import torch  # noqa: E402

from plumbline.models import build  # noqa: E402
from plumbline.params import load  # noqa: E402
from plumbline.runs import record_files, records  # noqa: E402
from plumbline.runs.fit_context import FitContext  # noqa: E402
from plumbline.tasks.classify import ClassifierTask  # noqa: E402
from plumbline.training.data_modules.examples import ExampleDataModule, Examples  # noqa: E402
from plumbline.training.engine.history import RunRecordLogger  # noqa: E402
from plumbline.training.recipes.base import fit_supervised  # noqa: E402

import measure  # noqa: E402
from measure import Row, faster, take_turns  # noqa: E402

ROOT = Path(__file__).parents[1]
STEPS = 100


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        yield share(Path(folder) / "share")
        yield points(Path(folder) / "points")
        yield kill(Path(folder) / "kill")


def share(folder: Path) -> Row:
    """Time what the logger and the run record take of a fit of the default network."""
    parameters = load(ROOT / "params.yaml")
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(353, 8, generator=draw)
    drawn = Examples(inputs, (inputs[:, 0] > 0).long())
    options = parameters.train_fnn.model_dump(
        mode="json", exclude={"classification", "optimisation", "regularisation"}
    )
    settings = parameters.train_fnn.optimisation.model_copy(update={"patience": 60})
    shares, wholes = [], []
    for turn in range(3):
        opened = records.open_record(folder / str(turn), "train_fnn")

        def sink(values: Any, *, step: int, opened: records.RunRecord = opened) -> None:
            opened.metrics(values, step=step)

        context = FitContext("train_fnn", folder / f"work{turn}", 1, parameters.trainer, sink)
        task = ClassifierTask(build("fnn", inputs=8, outputs=2, **options), settings=settings)
        with clocked(RunRecordLogger, "log_metrics", "finalize") as spent:
            start = time.perf_counter()
            data = ExampleDataModule(drawn, drawn, batch_size=settings.batch_size)
            fit_supervised(task, data, context=context, optimisation=settings)
            wholes.append(time.perf_counter() - start)
        shares.append(sum(spent) / wholes[-1])
        kept, _ = record_files.read_metrics(opened.folder)
        assert len(kept) == 6 * settings.max_epochs
    middle = sorted(shares)[1]
    return Row(
        16, "metric logging, its share of training", f"{settings.max_epochs} epochs", "the fit",
        f"{middle:.2%} ({min(shares):.2%}–{max(shares):.2%})", "≤ 2 %", middle <= 0.02,
        middle * sorted(wholes)[1], sorted(wholes)[1], "run record, history; the default network",
    )  # fmt: skip


@contextmanager
def clocked(owner: type, *names: str) -> Iterator[list[float]]:
    """Note the seconds of every outermost call of some methods."""
    spent: list[float] = []

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return method(*args, **options)
            finally:
                spent.append(time.perf_counter() - start)

        return call

    with mock.patch.multiple(owner, **{name: timed(getattr(owner, name)) for name in names}):
        yield spent


def points(folder: Path) -> Row:
    """Log one value a step: into a run record, and with MLflow's own call into SQLite."""
    from mlflow import MlflowClient

    folder.mkdir()
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.create_experiment("peer")
    made: list[Any] = []

    def ours() -> None:
        made.append(records.open_record(folder / str(len(made)), "peer"))
        for step in range(STEPS):
            made[-1].metrics({"loss": 1 / (1 + step)}, step=step)

    run: list[str] = []

    def peer() -> None:
        run.append(client.create_run(experiment).info.run_id)
        for step in range(STEPS):
            client.log_metric(run[-1], "loss", 1 / (1 + step), step=step)

    ours()
    peer()
    history = client.get_metric_history(run[-1], "loss")
    kept, _ = record_files.read_metrics(made[-1].folder)
    assert sorted((row.step, row.value) for row in history) == [(r["s"], r["v"]) for r in kept]
    return faster(
        16, "metric logging, a value a step", f"{STEPS} steps", "MLflow log_metric, SQLite",
        take_turns(ours, peer, turns=3), goal=20,
        note="both with making the run; ours reaches MLflow later, in batches, in another process",
    )  # fmt: skip


def kill(folder: Path) -> Row:
    """Kill a process that logs, at once after it was told that a value is kept."""
    program = (
        "import sys; from pathlib import Path; from plumbline.runs import records\n"
        f"run = records.open_record(Path({str(folder)!r}), 'killed')\n"
        "for step in range(10**9):\n"
        "    run.metrics({'loss': step}, step=step); print(step, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 500:
            process.send_signal(signal.SIGKILL)
            break
    told = [500, *map(int, process.stdout.read().split())][-1]
    process.wait()
    (written,) = record_files.read_all(folder)
    kept = pd.DataFrame(record_files.read_metrics(written)[0])["s"].tolist()
    lost = told + 1 - len(kept) if kept == list(range(len(kept))) else told + 1
    return Row(
        16, "values lost by SIGKILL", f"{told + 1} values", "none", f"{max(lost, 0)} lost",
        "0", lost <= 0, note="of those whose call had returned",
    )  # fmt: skip


if __name__ == "__main__":
    measure.main(rows, __doc__)
