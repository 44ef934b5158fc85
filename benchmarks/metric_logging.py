"""Metric logging: its share of training, beside MLflow and torchmetrics, and what a kill loses."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from plumbline.compat import torchvision

torchvision.install()

import pandas as pd  # noqa: E402
import torch  # noqa: E402

from plumbline import names  # noqa: E402
from plumbline.metrics.scores.classification import weighted_metrics  # noqa: E402
from plumbline.models import build  # noqa: E402
from plumbline.params import load  # noqa: E402
from plumbline.runs import records  # noqa: E402
from plumbline.runs.fit_context import FitContext  # noqa: E402
from plumbline.tasks.classify import ClassifierTask  # noqa: E402
from plumbline.training.engine.history import RunRecordLogger  # noqa: E402
from plumbline.training.recipes.base import Examples, fit_supervised  # noqa: E402

import measure  # noqa: E402
from measure import Row, faster, take_turns  # noqa: E402

ROOT = Path(__file__).parents[1]
STEPS = 100
BINS = 15  # of the calibration error


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        yield share(Path(folder) / "share")
        yield points(Path(folder) / "points")
        yield from metrics()
        yield kill(Path(folder) / "kill")


def share(folder: Path) -> Row:
    """Time what the logger and the run record take of a fit of the default network."""
    parameters = load(ROOT / "params.yaml")
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(353, 8, generator=draw)
    data = Examples(inputs, (inputs[:, 0] > 0).long())
    options = parameters.train_fnn.model_dump(mode="json", exclude={"optimisation"})
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
            fit_supervised(task, data, data, context=context, optimisation=settings)
            wholes.append(time.perf_counter() - start)
        shares.append(sum(spent) / wholes[-1])
        kept, _ = records.read_metrics(opened.folder)
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
    kept, _ = records.read_metrics(made[-1].folder)
    assert sorted((row.step, row.value) for row in history) == [(r["s"], r["v"]) for r in kept]
    return faster(
        16, "metric logging, a value a step", f"{STEPS} steps", "MLflow log_metric, SQLite",
        take_turns(ours, peer, turns=3), goal=20,
        note="both with making the run; ours reaches MLflow later, in batches, in another process",
    )  # fmt: skip


def metrics() -> Iterator[Row]:
    """Yield the metrics of an epoch: of outputs that were kept, or of a collection updated a step.

    The peer is written as torchmetrics' pages on Lightning write it. The losses of the batches are
    given to both. The report's metrics are those by which `evaluate` judges a classifier at the
    end; training does not log them, and ours are two more than the peer's.
    """
    for classes in (10, 2):
        yield compare(classes, metrics_of_an_epoch, "metrics of an epoch", goal=20)
    yield compare(10, metrics_of_a_report, "metrics of a report", goal=None)


def compare(
    classes: int, measured: Callable[..., dict[str, Any]], what: str, *, goal: float | None
) -> Row:
    draw = torch.Generator().manual_seed(0)
    batches = [
        (torch.randn(64, classes, generator=draw), torch.randint(classes, (64,), generator=draw))
        for _ in range(200)
    ]
    settings = load(ROOT / "params.yaml").train_cnn.optimisation
    task = ClassifierTask(torch.nn.Identity(), settings=settings)
    losses = [task.loss(*batch, training=False) for batch in batches]

    def ours() -> dict[str, Any]:
        for batch in batches:
            task._outputs.append(batch)  # what validation_step does with the network's outputs
        columns = [torch.cat(parts) for parts in zip(*task._outputs, strict=True)]
        task._outputs = []
        return {**measured(task, *columns), names.LOSS: torch.stack(losses).mean()}

    first = ours()
    peer = collection(classes, first, batches, losses)
    expected = peer()
    for name, value in expected.items():
        torch.testing.assert_close(first[name], value, rtol=1e-5, atol=1e-6, check_dtype=False)
    return faster(
        16, what, f"200 × 64 × {classes}", "torchmetrics collection a step",
        take_turns(ours, peer, turns=9, at_least=0.1), goal=goal,
        note="1 thread; the same " + ", ".join(expected),
        why="Of ours half is argmax over all logits, or sorting for AUROC; a tenth is counting.",
    )  # fmt: skip


def metrics_of_an_epoch(task: ClassifierTask, *columns: torch.Tensor) -> dict[str, Any]:
    return dict(task.validation_metrics(*columns))


def metrics_of_a_report(
    _: ClassifierTask, outputs: torch.Tensor, targets: torch.Tensor
) -> dict[str, Any]:
    found = weighted_metrics(targets, outputs.argmax(1), outputs.softmax(1), bins=BINS)
    return {name: torch.tensor(value[0]) for name, value in found.items()}


def collection(
    classes: int, wanted: Collection[str], batches: Any, losses: Any
) -> Callable[[], dict[str, Any]]:
    from torchmetrics import MeanMetric, MetricCollection, classification

    made = MetricCollection(
        {
            name: metric(classes, **options)
            for name, metric, options in (
                (names.ACCURACY, classification.MulticlassAccuracy, {"average": "micro"}),
                (names.BALANCED_ACCURACY, classification.MulticlassAccuracy, {"average": "macro"}),
                (names.F1_MACRO, classification.MulticlassF1Score, {"average": "macro"}),
                (names.AUROC, classification.MulticlassAUROC, {"average": "macro"}),
                (names.ECE, classification.MulticlassCalibrationError, {"n_bins": BINS}),
            )
            if name in wanted
        }
    )
    mean = MeanMetric()

    def peer() -> dict[str, Any]:
        made.reset()
        mean.reset()
        for batch, loss in zip(batches, losses, strict=True):
            made.update(*batch)
            mean.update(loss)
        return {**made.compute(), names.LOSS: mean.compute()}

    return peer


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
    (written,) = records.read_all(folder)
    kept = pd.DataFrame(records.read_metrics(written)[0])["s"].tolist()
    lost = told + 1 - len(kept) if kept == list(range(len(kept))) else told + 1
    return Row(
        16, "values lost by SIGKILL", f"{told + 1} values", "none", f"{max(lost, 0)} lost",
        "0", lost <= 0, note="of those whose call had returned",
    )  # fmt: skip


if __name__ == "__main__":
    measure.main(rows, __doc__)
