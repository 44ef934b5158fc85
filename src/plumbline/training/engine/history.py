"""The history of a fit, one row of metrics per epoch, and the Lightning logger that keeps it."""

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


class RunRecordLogger(Logger):
    """Lightning's logger of the run record: it keeps the history and passes every value to a sink.

    Parameters
    ----------
    sink : callable or None
        Takes ``(values, step=step)``, e.g. ``run.metrics``. Calls are buffered and made at most
        once a second and at the end, also when training fails.
    """

    def __init__(self, sink: Sink | None = None) -> None:
        super().__init__()
        self.history = History()
        self._sink = sink
        self._buffer: list[tuple[dict[str, float], int]] = []
        self._flushed_at = time.monotonic()

    @property
    def name(self) -> str:
        """Return the logger's name."""
        return "run_record"

    @property
    def version(self) -> str:
        """Return the empty string: a fit has one run record."""
        return ""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add values to the row of ``metrics['epoch']``, or of ``step`` where no epoch is given."""
        values = {name: float(value) for name, value in metrics.items() if name != "epoch"}
        if not values:
            return
        at = int(step or 0)
        self.history.add(values, epoch=int(metrics.get("epoch", at)), step=at)
        self._buffer.append((values, at))
        if time.monotonic() - self._flushed_at >= 1.0:
            self.flush()

    def replay(self, entries: Iterable[tuple[dict[str, float], int, int]]) -> None:
        """Add the entries of an earlier history, and pass them to the sink like new values.

        A run record that is opened again is empty.
        """
        for values, epoch, step in entries:
            self.history.add(values, epoch=epoch, step=step)
            self._buffer.append((values, step))
        self.flush()

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the stage records its parameters itself."""

    def finalize(self, status: str) -> None:
        """Pass the buffered values to the sink."""
        self.flush()

    def flush(self) -> None:
        """Pass the buffered values to the sink."""
        buffered, self._buffer = self._buffer, []
        if self._sink is not None:
            for values, step in buffered:
                self._sink(values, step=step)
        self._flushed_at = time.monotonic()


def _cell(value: float | None) -> str:
    # A NaN is an undefined value, too.
    return "" if value is None or value != value else f"{value:.10g}"
