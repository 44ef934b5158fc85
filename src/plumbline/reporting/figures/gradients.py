"""Figure of gradient diagnostics: norms and updates by layer, early and late in training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from plumbline.reporting.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PREFIX = "gradients/"  # of the columns; see `plumbline.training.engine.diagnostics`
_PANELS = {"norm": "gradient norm", "update_ratio": "update / weights"}
_NAMED = 8  # more layers are numbered

History = Mapping[str, Sequence[float]]


def networks(history: History) -> list[str]:
    """Return the networks of a history whose gradients were diagnosed."""
    found = (name.split("/")[1] for name in history if name.startswith(PREFIX))
    return list(dict.fromkeys(found))


@style.styled
def gradients(history: History, network: str) -> Figure:
    """Draw gradient norms and updates by layer in the first, the middle and the last row.

    Parameters
    ----------
    history : mapping of str to sequence of float
        Columns of ``reports/history/<model>.csv``; NaN where undefined.
    network : str
        One of `networks`.
    """
    from matplotlib.ticker import LogFormatter

    drawn, axes = style.figure(4.4, rows=2, margins=style.Margins(left=0.7, bottom=0.55))
    for axis, (quantity, title) in zip(axes, _PANELS.items(), strict=True):
        columns = _columns(history, network, quantity)
        axis.set_title(title)
        for number, row in enumerate(_rows(history, columns)):
            points = [(x, history[name][row]) for x, name in enumerate(columns)]
            points = [(x, y) for x, y in points if y > 0 and math.isfinite(y)]
            if points:
                axis.plot(*zip(*points, strict=True), "o-", ms=3.5, color=style.SERIES[number],
                          label=_when(history, row))  # fmt: skip
        axis.set_yscale("log")
        for formatted in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
            formatted(LogFormatter())  # the usual one writes powers, as mathematics
        labels = [name.rpartition("/")[2].partition(".")[2] for name in columns]
        if len(labels) <= _NAMED:
            axis.set_xticks(range(len(labels)), labels)
        else:
            axis.locator_params(axis="x", integer=True)
    if axes[0].lines:  # the other panel has the same rows
        axes[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, handlelength=1.2,
                       columnspacing=1)  # fmt: skip
    axes[-1].set_xlabel("layer, from input to output")
    return drawn


def _columns(history: History, network: str, quantity: str) -> list[str]:
    return sorted(n for n in history if n.startswith(f"{PREFIX}{network}/layers/{quantity}/"))


def _rows(history: History, columns: Sequence[str]) -> list[int]:
    every = range(len(history["epoch"]))
    filled = [row for row in every if any(not math.isnan(history[n][row]) for n in columns)]
    chosen = (filled[0], filled[len(filled) // 2], filled[-1]) if filled else ()
    return list(dict.fromkeys(chosen))


def _when(history: History, row: int) -> str:
    adversarial = any("discriminator" in column for column in history)
    return f"{'batch' if adversarial else 'epoch'} {history['epoch'][row]:g}"
