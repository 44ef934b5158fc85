"""Seed sensitivity of the feed-forward network: its test result over many seeds.

The network of ``params.yaml`` is trained from many seeds at once (`training.recipes.many_seeds`),
first from the seed of the pipeline. Only the prepared data of the pipeline are read, and none of
its files is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from plumbline import artifacts, catalog, names, params
from plumbline.errors import ParamsError
from plumbline.metrics.intervals.proportions import student
from plumbline.metrics.scores import imbalance
from plumbline.stage.context import derive_seed

MODEL = "fnn"  # the only model whose fits can be stacked
COVERS = "the mean over all seeds, on these test rows; not what other rows would give"


def measure(
    root: Path,
    *,
    count: int,
    confidence: float,
    progress: Callable[[int, int, int], None] | None = None,
) -> dict[str, Any]:
    """Train the network of a work tree from ``count`` seeds and return the result of each.

    Parameters
    ----------
    root : Path
        Work tree with ``params.yaml`` and prepared tabular data.
    count : int
        At least 2.
    confidence : float
        Confidence level of the interval, in (0, 1).
    progress : callable, optional
        See `training.recipes.many_seeds.fit_fnn_seeds`.

    Returns
    -------
    dict
        ``model, source, rows`` (of the test split), ``quantity`` (accuracy, or the root mean
        squared error in the target's units), ``mean``, ``standard_deviation`` (over seeds, n - 1),
        ``confidence``, ``interval`` (of the mean, Student's t over seeds), ``interval_covers`` and
        ``seeds``: ``seed, value, best_epoch, val_loss`` of each.

    Raises
    ------
    ParamsError
        If ``count`` or ``confidence`` is out of range.
    ArtifactError
        If the prepared data are missing or damaged.
    """
    if count < 2:
        raise ParamsError(f"seeds: --seeds must be >= 2, got {count}; one seed has no spread")
    if not 0 < confidence < 1:
        raise ParamsError(f"seeds: --confidence must be in (0, 1), got {confidence:g}")
    import torch

    from plumbline.training.data_modules.tables import table_examples
    from plumbline.training.recipes.many_seeds import fit_fnn_seeds

    parameters = params.load(root / "params.yaml")
    torch.set_num_threads(parameters.trainer.threads)
    data = root / names.PREPARED / catalog.model(MODEL).dataset
    schema = artifacts.DatasetSchema.read(data)
    regression = schema.task == names.REGRESSION
    rows = table_examples(artifacts.read_split_table(data), schema, split=names.TEST)
    first = derive_seed(parameters.seed, f"train@{MODEL}")
    seeds = [(first + number) % 2**32 for number in range(count)]
    fits = fit_fnn_seeds(parameters.train_fnn, data=data, seeds=seeds, progress=progress)
    val = table_examples(artifacts.read_split_table(data), schema, split=names.VAL)
    rule = parameters.train_fnn.classification.decision
    values = []
    for fit in fits:
        outputs, chosen_on = (_outputs(fit.network, part, regression) for part in (rows, val))
        decision = None
        if not regression:
            decision = imbalance.fit_decision(
                rule,
                chosen_on,
                val.targets.numpy(),
                classes=schema.classes,
                weights=None if val.weights is None else val.weights.double().numpy(),
            )
        values.append(_value(outputs, rows, decision, regression))
    low, high = student(values, confidence=confidence)
    return {
        "model": MODEL,
        "source": schema.source,
        "rows": len(rows.targets),
        "quantity": names.RMSE if regression else names.ACCURACY,
        "mean": float(np.mean(values)),
        "standard_deviation": float(np.std(values, ddof=1)),
        "confidence": confidence,
        "interval": [low, high],
        "interval_covers": COVERS,
        "seeds": [
            {
                "seed": fit.seed,
                "value": value,
                "best_epoch": fit.best_epoch,
                "val_loss": fit.val_loss,
            }
            for fit, value in zip(fits, values, strict=True)
        ],
    }


def report(found: dict[str, Any]) -> str:
    """Return the result of `measure` as lines to print."""
    values = [one["value"] for one in found["seeds"]]
    low, high = found["interval"]
    return (
        f"{found['model']}, {found['source']}, {found['rows']} test rows, {len(values)} seeds: "
        f"{found['quantity']} {found['mean']:.4g}, {found['confidence']:.0%} interval over seeds "
        f"{low:.4g} to {high:.4g}\n"
        f"one seed: standard deviation {found['standard_deviation']:.2g}, from {min(values):.4g} "
        f"to {max(values):.4g}; the pipeline's own {values[0]:.4g}\n"
        f"the interval covers {found['interval_covers']}"
    )


@contextmanager
def progress() -> Iterator[Callable[[int, int, int], None]]:
    """Show a progress bar on a terminal; yield what `measure` calls after every epoch."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress

    console = Console(stderr=True)
    columns = ("seeds", BarColumn(), "{task.description}")
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("")

        def show(epoch: int, epochs: int, running: int) -> None:
            done = epoch if running else epochs
            text = f"epoch {epoch}/{epochs}, {running} still training"
            bar.update(task, completed=done, total=epochs, description=text)

        yield show


def _outputs(network: Any, rows: Any, regression: bool) -> Any:
    import torch

    with torch.inference_mode():
        found = network(rows.inputs).double()
    return (found if regression else found.softmax(dim=1)).numpy()


def _value(outputs: Any, rows: Any, decision: artifacts.Decision | None, regression: bool) -> float:
    targets = rows.targets.numpy()
    weights = np.ones(len(targets)) if rows.weights is None else rows.weights.double().numpy()
    if regression:
        squares = (outputs[:, 0] - targets) ** 2
        return float(np.sqrt((weights * squares).sum() / weights.sum()))
    return float((weights * (artifacts.decide(outputs, decision) == targets)).sum() / weights.sum())
