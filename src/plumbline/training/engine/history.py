"""The history of a fit: one row of metrics per epoch, written as CSV and handed to the journal."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from plumbline import artifacts
from plumbline.runs.fit_context import Sink


class History:
    """Rows of metrics by epoch, in the order they came."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, float]] = {}
        self.steps: dict[int, int] = {}
        self.entries: list[tuple[dict[str, float], int, int]] = []  # (values, epoch, step)

    def add(self, values: Mapping[str, float], *, epoch: int, step: int) -> None:
        """Merge values into the row of an epoch; the largest step of the row is kept."""
        self.entries.append((dict(values), epoch, step))
        self.rows.setdefault(epoch, {}).update(values)
        self.steps[epoch] = max(step, self.steps.get(epoch, 0))

    def columns(self) -> list[str]:
        """Return the metric names, sorted."""
        return sorted({name for row in self.rows.values() for name in row})

    def csv(self) -> str:
        """Return ``epoch,step,<metrics…>`` with one line per epoch; undefined values are empty."""
        columns = self.columns()
        lines = [",".join(["epoch", "step", *columns])]
        for epoch, row in self.rows.items():
            cells = [_cell(row.get(name)) for name in columns]
            lines.append(",".join([str(epoch), str(self.steps[epoch]), *cells]))
        return "\n".join(lines) + "\n"

    def write(self, path: Path) -> None:
        """Write `csv` to a file."""
        artifacts.write_text(path, self.csv())


class JournalLogger(Logger):
    """A Lightning logger that keeps the history and hands every value on.

    Parameters
    ----------
    sink : callable or None
        Takes ``(values, step=step)``, e.g. ``run.metrics``. Calls are buffered and made at most
        once a second and at the end, also when training fails.
    history : History or None
        Filled row by row; a new one if None.
    """

    def __init__(self, sink: Sink | None = None, history: History | None = None) -> None:
        super().__init__()
        self.history = history if history is not None else History()
        self._sink = sink
        self._waiting: list[tuple[dict[str, float], int]] = []
        self._handed_on = time.monotonic()

    @property
    def name(self) -> str:
        """Return the logger's name."""
        return "journal"

    @property
    def version(self) -> str:
        """Return nothing: a fit has one journal."""
        return ""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add values to the row of ``metrics['epoch']``, or of ``step`` where no epoch is given."""
        values = {name: float(value) for name, value in metrics.items() if name != "epoch"}
        if not values:
            return
        at = int(step or 0)
        self.history.add(values, epoch=int(metrics.get("epoch", at)), step=at)
        self._waiting.append((values, at))
        if time.monotonic() - self._handed_on >= 1.0:
            self.hand_on()

    def replay(self, entries: Iterable[tuple[dict[str, float], int, int]]) -> None:
        """Fill the history from the entries of another one, and hand them on like new values.

        A journal that was opened again drops what it has.
        """
        for values, epoch, step in entries:
            self.history.add(values, epoch=epoch, step=step)
            self._waiting.append((values, step))
        self.hand_on()

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the stage records its parameters itself."""

    def finalize(self, status: str) -> None:
        """Hand on what is still waiting."""
        self.hand_on()

    def hand_on(self) -> None:
        """Make the calls that are waiting."""
        waiting, self._waiting = self._waiting, []
        if self._sink is not None:
            for values, step in waiting:
                self._sink(values, step=step)
        self._handed_on = time.monotonic()


def _cell(value: float | None) -> str:
    # A NaN is an undefined value, too.
    return "" if value is None or value != value else f"{value:.10g}"
