"""Measure how far back networks for sequences remember: the adding task and the copy task.

Shape letters: ``S`` networks, ``T`` steps, ``B`` sequences, ``K`` last steps, which have outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from plumbline.studies.sequence import recurrences
from plumbline.studies.sequence.memory_tasks import TASKS, Task
from plumbline.studies.sequence.recurrences import Setting

if TYPE_CHECKING:
    import pandas as pd

SETTINGS = {
    "tanh": Setting("tanh"),
    "tanh_again": Setting("tanh", other_seeds=True),
    "tanh_orthogonal": Setting("tanh", "orthogonal"),
    "relu_identity": Setting("relu", "identity"),
    "relu_unclipped": Setting("relu", "identity", clipped=False),
    "lstm": Setting("lstm"),
    "lstm_bias_1": Setting("lstm", gate_bias=1.0),
    "lstm_bias_3": Setting("lstm", gate_bias=3.0),
    "gru": Setting("gru"),
    "gru_bias_1": Setting("gru", gate_bias=1.0),
    "tanh_attention": Setting("tanh", attention=True),
    "transformer": Setting("transformer"),
}
RECURRENT = [name for name, each in SETTINGS.items()
             if not (each.attention or each.other_seeds or each.cell == "transformer")]  # fmt: skip
_START, _TRAINING, _TEST, _OTHER = range(4)  # what a seed is for
_DIVERGED = 10.0  # times the error of the baseline
_COLUMNS = ["task", "setting", "quantity", "length", "back", "seed", "value", "reason"]
_NO_SLOPE = "a gradient is 0 or not finite"
_INFINITE = "the error was infinite at every evaluation"


@dataclass
class Stack:
    """Networks of one cell: every setting with every number of a seed, setting by setting."""

    task: Task
    settings: Sequence[Setting]
    rates: Sequence[float]  # of the settings
    numbers: Sequence[int]
    options: Any
    seed: int
    weights: dict[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        longest = max(self.options.lengths) + self.task.last
        self.weights = recurrences.stacked(
            [
                recurrences.initialise(
                    each, inputs=self.task.inputs, outputs=self.task.outputs, steps=longest,
                    width=self.options.width,
                    seed=self._draw(_OTHER if each.other_seeds else _START, number),
                )
                for each in self.settings
                for number in self.numbers
            ]
        )  # fmt: skip

    def generators(self, purpose: int) -> list[torch.Generator]:
        """Return a generator per seed."""
        seeds = (self._draw(purpose, number) for number in self.numbers)
        return [torch.Generator().manual_seed(each) for each in seeds]

    def batch(
        self, count: int, length: int, draws: Sequence[torch.Generator]
    ) -> tuple[Tensor, Tensor]:
        """Return sequences ``(S, T, B, F)`` and targets, the same for all settings of a seed."""
        drawn = [self.task.draw(count, length, each) for each in draws]
        x, y = (torch.stack(parts) for parts in zip(*drawn, strict=True))
        return x.repeat(len(self.settings), 1, 1, 1), y.repeat(len(self.settings), 1, 1)

    def outputs(self, x: Tensor) -> Tensor:
        """Return outputs ``(S, K, B, O)``."""
        return recurrences.outputs_of(self.settings[0], self.weights, x, self.task.last)

    def norms(self, length: int) -> Tensor:
        """Return the norms of the gradient of the loss at the inputs of each step: ``(S, T)``."""
        x, y = self.batch(self.options.batch_size, length, self.generators(_TEST))
        return recurrences.gradient_norms(
            self.settings[0], self.weights, x, lambda found: self.task.losses(found, y),
            self.task.last,
        )  # fmt: skip

    def train(self, length: int) -> Tensor:
        """Train until all networks have solved the task, or the updates are used up.

        Returns
        -------
        Tensor
            Scores of each network at each evaluation, ``(E, S)``: the share of the baseline's error
            on test sequences that the network avoids; minus infinity if its error is not finite.
        """
        options, draws = self.options, self.generators(_TRAINING)
        test = self.batch(options.test_sequences, length, self.generators(_TEST))
        limits = self._of_networks(
            [options.clip_norm if each.clipped else torch.inf for each in self.settings]
        )
        shares = self._of_networks(self.rates) / max(self.rates)
        parameters = list(self.weights.values())
        optimizer = torch.optim.Adam(parameters, lr=max(self.rates), fused=True)
        scores: list[Tensor] = []
        for update in range(1, options.updates + 1):
            x, y = self.batch(options.batch_size, length, draws)
            optimizer.zero_grad()
            torch.autograd.backward(self.task.losses(self.outputs(x), y).sum())
            _clip(parameters, limits)
            before = [each.detach().clone() for each in parameters]
            optimizer.step()
            with torch.no_grad():
                for each, start in zip(parameters, before, strict=True):  # linear in the rate
                    each.copy_(torch.lerp(start, each, shares.view(-1, *[1] * (each.ndim - 1))))
                if update % options.check_every == 0:
                    errors = self.task.errors(self.outputs(test[0]), test[1])
                    scores.append(1 - errors.nan_to_num(torch.inf) / self.task.baseline)
                    if (torch.stack(scores).amax(0) >= options.solved).all():
                        break
        return torch.stack(scores)

    def _of_networks(self, of_settings: Sequence[float]) -> Tensor:
        return torch.tensor(of_settings).repeat_interleave(len(self.numbers))

    def _draw(self, purpose: int, number: int) -> int:
        return int(np.random.SeedSequence([self.seed, purpose, number]).generate_state(1)[0])


def _clip(parameters: Sequence[Tensor], limits: Tensor) -> None:
    """Scale each network's gradient to a norm of at most its limit."""
    gradients = [each.grad for each in parameters if each.grad is not None]
    norms = torch.stack([each.flatten(1).norm(dim=1) for each in gradients]).norm(dim=0)
    shares = (limits / (norms + 1e-6)).clamp(max=1.0)
    for each in gradients:
        each.mul_(shares.view(-1, *[1] * (each.ndim - 1)))


def slopes(norms: Tensor, last: int) -> list[float]:
    """Return the change of the log of the norm per step back, before the steps with outputs.

    Least squares, in nats. NaN where a norm is 0 or not finite.
    """
    heights = norms[:, : norms.shape[1] - last].flip(1).log().numpy()
    back = np.arange(heights.shape[1]) - (heights.shape[1] - 1) / 2
    known = np.isfinite(heights).all(1)
    found = np.where(known[:, None], heights, 0) @ back / (back**2).sum()
    return [float(each) for each in np.where(known, found, np.nan)]


def run(options: Any, seed: int, progress: Callable[[int, int, str], None]) -> pd.DataFrame:
    """Return what each kind of network learns at each length, and how its gradients vanish.

    A setting that solves a length with no seed is not trained at longer ones, unless the same one
    with clipping, or without, does.

    Parameters
    ----------
    options : MemoryParams
    seed : int
    progress : callable
        Takes the number of trainings done, their total, and a text.

    Returns
    -------
    DataFrame
        ``task, setting, quantity, length, back, seed, value, reason``. Quantities: ``gradient`` at
        the inputs so many steps back, before training; ``slope`` of its logarithm per step back,
        before training at the longest length; ``parameters``; ``rate`` (chosen learning rate);
        ``trained_slope``, best ``score`` (see `Stack.train`), ``solved`` (0 or 1) and ``diverged``
        (0 or 1) after training at a length;
        ``longest`` length such that it and all shorter ones are solved, 0 for none;
        ``rank_correlation`` of slope and longest length over the settings of `RECURRENT`.
        ``length`` and ``back`` are 0 where they do not apply.
    """
    import pandas as pd

    torch.set_num_threads(1)  # the order of sums must not depend on the machine
    cells = dict.fromkeys((each.cell, each.attention) for each in SETTINGS.values())
    total, done, rows = len(TASKS) * len(cells) * len(options.lengths), 0, []
    for task in TASKS:
        for cell, attention in cells:
            names = [n for n, s in SETTINGS.items() if (s.cell, s.attention) == (cell, attention)]
            measured = _Measured(task, names, options, seed)
            for length in sorted(options.lengths):
                measured.train(length)
                done += 1
                progress(done, total, f"{task}, {cell}, length {length}")
            measured.end(names)
            rows += measured.rows
    found = pd.DataFrame(rows, columns=_COLUMNS).astype({"value": float})
    correlations = [_rank_correlations(found, task) for task in TASKS]
    return pd.concat([found, *correlations], ignore_index=True)


class _Measured:
    """Rows of the settings of one cell on one task."""

    def __init__(self, task: str, names: list[str], options: Any, seed: int) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self._task, self._options, self._seed = task, options, seed
        self._longest = {name: torch.zeros(options.seeds) for name in names}
        self._left = names  # to be trained at the next length
        self._rates = dict.fromkeys(names, options.rates[0])
        stack, length = self._stack(names), max(options.lengths)
        norms, last = stack.norms(length), stack.task.last
        for back in range(0, length, options.gradient_every):
            self._add(names, "gradient", norms[:, -1 - last - back].tolist(), back=back + 1)
        self._add(names, "slope", slopes(norms, last), reason=_NO_SLOPE)
        size = sum(each[0].numel() for each in stack.weights.values())
        self._add(names, "parameters", [size] * len(norms))
        self._shorter = 0
        self._choose_rates(names)

    def train(self, length: int) -> None:
        """Train what is left; see `run`."""
        if not self._left:
            return
        stack, names = self._stack(self._left), self._left
        scores = stack.train(length)
        score, diverged = scores.amax(0), scores.amin(0) < 1 - _DIVERGED
        solved = score >= self._options.solved
        trained = slopes(stack.norms(length), stack.task.last)
        for quantity, values in (("score", score), ("solved", solved), ("diverged", diverged)):
            self._add(names, quantity, values.tolist(), length=length, reason=_INFINITE)
        self._add(names, "trained_slope", trained, length=length, reason=_NO_SLOPE)
        for name, own in zip(names, solved.view(len(names), -1), strict=True):
            self._longest[name][own & (self._longest[name] == self._shorter)] = length
        goes_on = [_clipped(name) for name in names if (self._longest[name] == length).any()]
        self._left = [name for name in names if _clipped(name) in goes_on]
        self._shorter = length

    def end(self, names: Sequence[str]) -> None:
        """Add the longest lengths."""
        for name in names:
            self._add([name], "longest", self._longest[name].tolist())

    def _choose_rates(self, names: Sequence[str]) -> None:
        """Take the rate of each setting with the highest mean score over evaluations of a pilot."""
        options = self._options
        tried = [SETTINGS[name] for name in names if not SETTINGS[name].other_seeds]
        pilots = range(options.seeds, options.seeds + options.pilots)
        stack = Stack(
            TASKS[self._task], [each for each in tried for _ in options.rates],
            [*options.rates] * len(tried), pilots, options, self._seed,
        )  # fmt: skip
        scores = stack.train(options.pilot_length).clamp(min=-1).mean(0)
        best = scores.view(len(tried), len(options.rates), -1).mean(2).argmax(1)
        for name in names:
            at = best[tried.index(replace(SETTINGS[name], other_seeds=False))]
            self._rates[name] = options.rates[int(at)]
            self._add([name], "rate", [self._rates[name]] * options.seeds)

    def _stack(self, names: Sequence[str]) -> Stack:
        settings, rates = [SETTINGS[n] for n in names], [self._rates[n] for n in names]
        numbers = range(self._options.seeds)
        return Stack(TASKS[self._task], settings, rates, numbers, self._options, self._seed)

    def _add(self, names: Sequence[str], quantity: str, values: Iterable[float], *, length: int = 0,
             back: int = 0, reason: str = "") -> None:  # fmt: skip
        places = [(name, number) for name in names for number in range(self._options.seeds)]
        for (name, number), value in zip(places, values, strict=True):
            why = None if np.isfinite(value) else reason
            self.rows.append((self._task, name, quantity, length, back, number, value, why))


def _clipped(name: str) -> Setting:
    return replace(SETTINGS[name], clipped=True)


def _rank_correlations(rows: pd.DataFrame, task: str) -> pd.DataFrame:
    """Return Spearman's correlation over the recurrent settings, a row per seed."""
    import pandas as pd

    chosen = rows[rows["setting"].isin(RECURRENT) & rows["quantity"].isin(["slope", "longest"])]
    found = []
    for seed, own in chosen[chosen["task"] == task].groupby("seed"):
        table = own.pivot(index="setting", columns="quantity", values="value").dropna()
        differ = (table.nunique() > 1).all()
        value = table["slope"].rank().corr(table["longest"].rank()) if differ else float("nan")
        reason = None if differ else "all settings solve the same lengths"
        found.append((task, "recurrent", "rank_correlation", 0, 0, seed, value, reason))
    return pd.DataFrame(found, columns=_COLUMNS)
