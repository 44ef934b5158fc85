"""Forms of figures that several studies have: curves, dots and ranges over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from plumbline.reporting.figures import style

if TYPE_CHECKING:
    import pandas as pd


def curve(axis: Any, rows: pd.DataFrame, *, colour: str, label: str, marker: str = "o") -> None:
    """Draw the median of ``value`` over ``size``, and the range over seeds as a band."""
    by_seed = rows.pivot_table(index="size", columns="seed", values="value")
    low, high = by_seed.min(axis=1), by_seed.max(axis=1)
    axis.plot(by_seed.index, by_seed.median(axis=1), marker=marker, ms=4, color=colour, label=label)
    axis.fill_between(by_seed.index, low, high, color=colour, alpha=0.2, lw=0)


def ticks(axis: Any, places: Iterable[int]) -> None:
    """Mark these places on a logarithmic x axis, and print numbers on the y axis in full."""
    shown = sorted(set(places))
    axis.set_xscale("log")
    axis.set_xticks(shown, [f"{place:,}" for place in shown])
    axis.minorticks_off()
    axis.yaxis.set_major_formatter("{x:,g}")


def ranges(axis: Any, by_name: Any, heights: Any, *, colour: str, label: str = "") -> None:
    """Draw the mean of each column or group, and the range over seeds as a line."""
    mean, low, high = (getattr(by_name, of)() for of in ("mean", "min", "max"))
    axis.errorbar(
        mean, heights, xerr=[mean - low, high - mean], fmt="o", ms=3.5, lw=1.2, color=colour,
        label=label,
    )  # fmt: skip


def dots(by_label: Mapping[str, Sequence[float]], quantity: str) -> str:
    """Draw a dot per seed and the mean as a bar, a line for each label."""
    drawn, axis = style.lines(list(by_label), quantity)
    for at, values in enumerate(by_label.values()):
        axis.plot(values, [at] * len(values), "o", ms=3.5, alpha=0.5, color=style.SERIES[0])
        axis.plot([sum(values) / len(values)], [at], "|", ms=14, mew=2, color=style.SERIES[1])
    return style.svg(drawn)
