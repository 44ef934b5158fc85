"""Figures of what mitigation costs, and of what cannot be had together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from plumbline.reporting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS = 101


def pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return which points no other one beats, by rising gap.

    Parameters
    ----------
    points : sequence of (gap, accuracy)
        Less gap and more accuracy are better; of equal points the first is kept.
    """
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1], i))
    kept: list[int] = []
    for i in order:
        if not kept or points[i][1] > points[kept[-1]][1]:
            kept.append(i)
    return kept


@style.styled
def mitigation_front(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw accuracy over gap with both intervals, and the line of methods that none beats.

    Parameters
    ----------
    rows : sequence of mapping
        ``number, when, accuracy, gap``; the latter two ``{value, low, high}``.
    """
    drawn, (axis,) = style.figure(4.0, margins=style.Margins(top=0.55))
    kinds = list(dict.fromkeys(row["when"] for row in rows))
    colours = dict(zip(kinds, (style.INK, *style.SERIES), strict=False))
    for kind in kinds:
        own = [row for row in rows if row["when"] == kind]
        axis.plot(
            [row["gap"]["value"] for row in own],
            [row["accuracy"]["value"] for row in own],
            ls="", marker="o", ms=5, color=colours[kind], label=kind or "nothing done",
        )  # fmt: skip
        for row in own:
            _cross(axis, row["gap"], row["accuracy"], colours[kind])
    points = [(row["gap"]["value"], row["accuracy"]["value"]) for row in rows]
    for point in dict.fromkeys(points):  # methods that decide alike share a label
        alike = [row for row, own in zip(rows, points, strict=True) if own == point]
        text = ", ".join(str(row["number"]) for row in alike)
        axis.annotate(
            text, point, xytext=(4, 4), textcoords="offset points", fontsize=8.5, color=style.INK
        )
    best = [points[i] for i in pareto(points)]
    axis.plot(*zip(*best, strict=True), color=style.SOFT, lw=1, ls=(0, (4, 3)), zorder=0)
    axis.set(xlabel="larger gap of true and false positive rate", ylabel="accuracy")
    axis.axvline(0, color=style.RULE, lw=1)
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, 1.18), ncols=2)
    return drawn


@style.styled
def hiring_front(hiring: Mapping[str, Any]) -> Figure:
    """Draw the options of the hiring tool, and the curve that a threshold by group moves along."""
    drawn, (axis,) = style.figure(3.4, margins=style.Margins(top=0.15))
    curve = hiring["curve"]
    axis.plot(
        [point["gap"] for point in curve], [point["accuracy"] for point in curve],
        color=style.SOFT, lw=1.2,
    )  # fmt: skip
    for colour, option in zip(style.SERIES, hiring["options"], strict=False):
        gap, accuracy = option["gap"], option["accuracy"]
        _cross(axis, gap, accuracy, colour)
        axis.plot([gap["value"]], [accuracy["value"]], ls="", marker="o", ms=6, color=colour,
                  label=option["option"])  # fmt: skip
    axis.set(xlabel="hired among the qualified, majority minus minority", ylabel="accuracy of all")
    axis.legend(loc="center right")
    return drawn


@style.styled
def forced_rates(table: Mapping[str, Any], *, title: str) -> Figure:
    """Draw the false positive rate that base rates force with one PPV and one FNR.

    Parameters
    ----------
    table : mapping
        One entry of ``impossibility`` in ``reports/dilemma.json``.
    title : str
    """
    drawn, (axis,) = style.figure(3.2)
    rows, common = table["rows"], table["common"]
    rates = [row["base_rate"] for row in rows]
    room = max(max(rates) - min(rates), 0.1) / 2
    low, high = max(min(rates) - room, 0.0), min(max(rates) + room, 0.95)
    steps = [low + (high - low) * k / (_POINTS - 1) for k in range(_POINTS)]
    odds = (1 - common["ppv"]) / common["ppv"] * (1 - common["fnr"])
    axis.plot(steps, [p / (1 - p) * odds for p in steps], color=style.SOFT, lw=1.2,
              label="forced by one PPV and one FNR")  # fmt: skip
    for colour, row in zip(style.SERIES * 9, rows, strict=False):
        axis.plot([row["base_rate"]] * 2, [row["fpr"], row["fpr_if_equal"]], color=colour, lw=1)
        axis.plot([row["base_rate"]], [row["fpr_if_equal"]], "o", ms=5, color=colour,
                  label=str(row["group"]))  # fmt: skip
        axis.plot([row["base_rate"]], [row["fpr"]], "o", ms=5, mfc=style.PAPER, color=colour)
    axis.set(xlabel="base rate", ylabel="false positive rate")
    axis.set_title(title)
    axis.legend(loc="upper left")
    return drawn


def _cross(axis: Axes, x: Mapping[str, Any], y: Mapping[str, Any], colour: str) -> None:
    for horizontal, estimate in ((True, x), (False, y)):
        if estimate["low"] is None or estimate["high"] is None:
            continue
        ends, at = [estimate["low"], estimate["high"]], (y if horizontal else x)["value"]
        line = (ends, [at, at]) if horizontal else ([at, at], ends)
        axis.plot(*line, color=colour, lw=0.8, alpha=0.35, zorder=1)
