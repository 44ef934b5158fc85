"""Train a network that overfits, with each technique against overfitting, and with several."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from plumbline.metrics.scores.classification import expected_calibration_error
from plumbline.studies.feedforward.datasets import loading
from plumbline.studies.feedforward.regularised import (
    build,
    losses_of,
    mean_of_members,
    of_logits,
    plan,
    prune,
)
from plumbline.training.data_modules.examples import Examples
from plumbline.training.recipes.stack_training import BestEpoch, train_epochs

Progress = Callable[[int, int, str], None]

METRICS = ["train_loss", "loss", "gap", "accuracy", "calibration_error"]


@dataclass(frozen=True)
class Data:
    """Rows of a data set: training rows are drawn from ``rest``; targets are ``(M, K)``.

    ``groups`` holds the test rows of each group by its name, as ``(M,)`` booleans: first ``test``,
    which is all of them.
    """

    rest: Examples
    test: Examples
    classes: bool
    groups: dict[str, Tensor]

    def draw(self, numbers: Sequence[int], count: int, seed: int) -> Examples:
        """Return ``count`` rows, in the order of training, for each seed with these numbers."""
        total = len(self.rest.targets)
        orders = [np.random.default_rng([seed, n]).permutation(total)[:count] for n in numbers]
        chosen = torch.tensor(np.stack(orders))
        return Examples(self.rest.inputs[chosen], self.rest.targets[chosen])


def run(options: Any, seed: int, progress: Progress) -> pd.DataFrame:
    """Return the results of each technique, data set and seed.

    Parameters
    ----------
    options : OverfittingParams
    seed : int
    progress : callable
        Takes the number of fits done, their total, and a text.

    Returns
    -------
    DataFrame
        ``data, technique, on, epoch, seed``: ``on`` are the rows on which ``loss`` (nats, or mean
        squared error in units of the targets' variance), ``gap`` (less ``train_loss``), and for
        digits ``accuracy`` and ``calibration_error`` (expected, over bins) are measured: ``test``,
        each group of test rows, and for the techniques of ``curves`` after each epoch
        ``validation``. Of ``test, best epoch`` is the network of the epoch with the lowest
        validation loss; ``range of groups`` holds the largest value of a group less the smallest.
    """
    torch.set_num_threads(1)  # the order of sums must not depend on the machine
    data = {source: _load(source, options, seed) for source in options.data}
    settings = [
        (source, name)
        for source in options.data
        for name in options.techniques
        if name not in options.left_out.get(source, ())
    ]
    found = []
    for done, (source, name) in enumerate(settings):
        changes = options.techniques[name]
        technique = options.base.model_copy(update=dict(changes))
        fit = _Fit(data[source], technique, options, seed)
        rows = fit.measure(curve=name in options.curves)
        found.append(rows.assign(data=source, technique=name))
        progress(done + 1, len(settings), f"{source}, {name}")
    rows = pd.concat(found, ignore_index=True)
    reasons = {True: "a regression has no classes", False: None}
    return rows.assign(reason=rows["accuracy"].isna().map(reasons))


def _load(source: str, options: Any, seed: int) -> Data:
    rows = loading.shuffled(source, seed)
    x = torch.tensor(rows.features, dtype=torch.float32)
    y = torch.tensor(rows.targets)
    test = slice(0, options.test_rows[source])
    rest = slice(options.test_rows[source], None)
    if rows.classes:
        groups = {f"digit {digit}": y[test] == digit for digit in range(rows.classes)}
        y = functional.one_hot(y.long()).float()
    else:  # scaled: the lower value is code 1
        sex = x[test, rows.names.index("sex")]
        groups = {"sex code 1": sex < 0, "sex code 2": sex > 0}
        y = ((y - y.mean()) / y.std())[:, None].float()
    groups = {name: chosen for name, chosen in groups.items() if chosen.any()}
    groups = {"test": torch.ones(options.test_rows[source], dtype=torch.bool), **groups}
    drawn_from, held_out = (Examples(x[part], y[part]) for part in (rest, test))
    return Data(drawn_from, held_out, rows.classes > 0, groups)


class _Fit:
    """The networks of all seeds with one technique, trained on one data set."""

    def __init__(self, data: Data, technique: Any, options: Any, seed: int) -> None:
        self.data, self.technique, self.options, self.seed = data, technique, options, seed
        members = technique.members
        numbers = [number for number in range(options.seeds) for _ in range(members)]
        self.seeds = [
            int(np.random.SeedSequence([seed, number, place % members]).generate_state(1)[0])
            for place, number in enumerate(numbers)
        ]
        self.drawn = data.draw(numbers, technique.rows, seed)
        kept = technique.rows - technique.rows // 5 if technique.stop else technique.rows
        self.train, self.stop = (_part(self.drawn, at) for at in (slice(kept), slice(kept, None)))
        self.numbers, self.stack = numbers, build(self.train, self.seeds, technique)

    def measure(self, *, curve: bool) -> pd.DataFrame:
        """Train the networks, and return the rows of `run`, those of ``curves`` if it is asked."""
        rows, found = self.technique.rows, []
        drawn = self.data.draw(self.numbers, rows + self.options.val_rows * curve, self.seed)
        val = _part(drawn, slice(rows, None))
        best = BestEpoch(self.stack, patience=self.options.epochs)
        for epoch in self._epochs():
            if not curve:
                continue
            outputs, targets = self._outputs(val.inputs), val.targets[:: self.technique.members]
            train = self._train_loss()
            after = self._table(train, outputs, targets, on="validation", epoch=epoch + 1)
            best.update(self.stack, torch.tensor(after["loss"]), epoch)
            found.append(after)
        with torch.no_grad():
            prune(self.stack, self.technique.prune)
        found += self._on_test_rows()
        if curve:
            self.stack.network.load_state_dict(best.state)
            at_best = self._on_test_rows()[0]
            found.append(at_best.assign(on="test, best epoch"))
        return pd.concat(found, ignore_index=True)

    def _epochs(self) -> Iterator[int]:
        """Train, and yield after each epoch; end with the epoch that early stopping chooses."""
        options, technique = self.options, self.technique
        made = plan(self.stack, self.train, technique, options, self.data.classes, self.seed)
        best = BestEpoch(self.stack, patience=options.patience)
        for epoch, _ in enumerate(train_epochs(self.stack, self.train, made, seeds=self.seeds)):
            if technique.stop:
                with torch.no_grad():
                    outputs = self.stack(self.stop.inputs)
                losses = of_logits(outputs, self.stop.targets, self.data.classes)
                best.update(self.stack, losses, epoch)
                if not best.running.any():
                    break
            yield epoch
        if technique.stop:
            self.stack.network.load_state_dict(best.state)

    def _on_test_rows(self) -> list[pd.DataFrame]:
        train, test = self._train_loss(), self.data.test
        outputs, targets = self._outputs(test.inputs[None]), test.targets[None]
        found = [
            self._table(train, outputs[:, chosen], targets[:, chosen], on=name)
            for name, chosen in self.data.groups.items()
        ]
        by_group = pd.concat(found[1:]).groupby("seed")[METRICS]
        span = (by_group.max() - by_group.min()).reset_index()
        return [*found, span.assign(on="range of groups", epoch=self.options.epochs)]

    @torch.no_grad()
    def _outputs(self, inputs: Tensor) -> Tensor:
        """Return log-probabilities or values of inputs: ``(S, M, F)`` → ``(S, M, K)``."""
        return mean_of_members(self.stack(inputs), self.technique.members, self.data.classes)

    def _train_loss(self) -> npt.NDArray[np.float64]:
        targets = self.drawn.targets[:: self.technique.members]
        found = losses_of(self._outputs(self.drawn.inputs), targets, self.data.classes)
        return found.double().numpy()

    def _table(
        self, train: npt.NDArray[np.float64], outputs: Tensor, targets: Tensor, *, on: str,
        epoch: int | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return the metrics of outputs ``(S, M, K)``; targets may be the same for all seeds."""
        loss = losses_of(outputs, targets, self.data.classes).double().numpy()
        table: dict[str, Any] = {"train_loss": train, "loss": loss, "gap": loss - train}
        table |= {"accuracy": math.nan, "calibration_error": math.nan}
        if self.data.classes:
            table |= _of_classes(outputs, targets.argmax(2).expand(len(outputs), -1))
        place = {"on": on, "epoch": epoch or self.options.epochs}
        return pd.DataFrame({**place, "seed": range(self.options.seeds), **table})


def _of_classes(outputs: Tensor, codes: Tensor) -> dict[str, Any]:
    """Return accuracy and calibration error: log-probabilities ``(S, M, K)``, codes ``(S, M)``."""
    probabilities, ones = outputs.exp().double(), np.ones((codes.shape[1], 1))
    errors = [
        float(expected_calibration_error(true.numpy(), found.numpy(), weights=ones)[0])
        for true, found in zip(codes, probabilities, strict=True)
    ]
    right = (probabilities.argmax(2) == codes).double().mean(1)
    return {"accuracy": right.numpy(), "calibration_error": errors}


def _part(rows: Examples, at: slice) -> Examples:
    return Examples(rows.inputs[:, at], rows.targets[:, at])
