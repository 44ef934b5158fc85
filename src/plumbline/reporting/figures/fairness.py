"""Figures of mitigation and of conflicting fairness criteria."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from plumbline.reporting.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS = 101


def pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the Pareto-optimal points, by rising gap.

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
    """Draw accuracy over gap with both intervals, one panel per model, and the Pareto front.

    Parameters
    ----------
    rows : sequence of mapping
        ``number, model, when, accuracy, gap, curve``; accuracy and gap ``{value, low, high}``; the
        curve a sequence of ``{accuracy, gap, constant}`` by rising strength.
    """
    models = list(dict.fromkeys(row["model"] for row in rows))
    kinds = list(dict.fromkeys(row["when"] for row in rows))
    colours = dict(zip(kinds, (style.INK, *style.SERIES), strict=False))
    margins = style.Margins(top=0.4, bottom=0.52)
    drawn, axes = style.figure(3.5 * len(models) + 0.4, rows=len(models), margins=margins)
    best = pareto([_place(row) for row in rows])
    front = [_place(rows[i]) for i in best]
    for axis, model in zip(axes, models, strict=True):
        axis.plot(*zip(*front, strict=True), color=style.SOFT, lw=1, ls=(0, (4, 3)), zorder=0)
        own = [row for row in rows if row["model"] == model]
        for row in own:
            _curve(axis, row["curve"], colours[row["when"]])
        _settings(axis, own, colours)
        axis.axvline(0, color=style.RULE, lw=1)
        axis.set(xlabel="larger gap of true and false positive rate", ylabel="accuracy")
        axis.set_title(model)
    for low, high, limit in (
        (min(a.get_xlim()[0] for a in axes), max(a.get_xlim()[1] for a in axes), "set_xlim"),
        (min(a.get_ylim()[0] for a in axes), max(a.get_ylim()[1] for a in axes), "set_ylim"),
    ):
        for axis in axes:
            getattr(axis, limit)(low, high)
    handles = [
        axes[0].plot([], [], ls="", marker="o", ms=5, color=colours[kind])[0] for kind in kinds
    ]
    labels = [kind or "no mitigation" for kind in kinds]
    axes[0].legend(handles, labels, loc="lower left", ncols=2)
    return drawn


def _place(row: Mapping[str, Any]) -> tuple[float, float]:
    return row["gap"]["value"], row["accuracy"]["value"]


def _settings(axis: Axes, rows: Sequence[Mapping[str, Any]], colours: Mapping[str, str]) -> None:
    """Draw the settings of a model's methods; methods with equal values share a label."""
    for row in rows:
        colour = colours[row["when"]]
        axis.plot(*zip(_place(row), strict=True), ls="", marker="o", ms=5, color=colour, zorder=3)
        _cross(axis, row["gap"], row["accuracy"], colour)
    for point in dict.fromkeys(_place(row) for row in rows):
        text = ", ".join(str(row["number"]) for row in rows if _place(row) == point)
        axis.annotate(
            text, point, xytext=(4, 4), textcoords="offset points", fontsize=8.5, color=style.INK
        )


def _curve(axis: Axes, curve: Sequence[Mapping[str, Any]], colour: str) -> None:
    if not curve:
        return
    places = [_place(point) for point in curve]
    axis.plot(*zip(*places, strict=True), color=colour, lw=0.9, alpha=0.7, zorder=2)
    for place, point in zip(places, curve, strict=True):
        marker = "x" if point["constant"] else "o"
        axis.plot(*zip(place, strict=True), ls="", marker=marker, ms=3, color=colour, zorder=2)
        _cross(axis, point["gap"], point["accuracy"], colour, alpha=0.15)


@style.styled
def balance_figure(rows: Sequence[Mapping[str, Any]], *, group: str) -> Figure:
    """Draw accuracy of all test rows and of a group, with intervals, per rebalancing method.

    Parameters
    ----------
    rows : sequence of mapping
        ``variant, accuracy, group_accuracy``, the latter two ``{value, low, high}``.
    group : str
        Name of the group.
    """
    drawn, (axis,) = style.figure(2.4, margins=style.Margins(left=1.1))
    parts = (("accuracy", "all", -0.12), ("group_accuracy", group, 0.12))
    for colour, (part, label, shift) in zip(style.SERIES, parts, strict=False):
        known = [(at + shift, row[part]) for at, row in enumerate(rows) if row[part]]
        for at, found in known:
            if found["low"] is not None and found["high"] is not None:
                axis.plot([found["low"], found["high"]], [at, at], color=colour, lw=1)
        values = [found["value"] for _, found in known]
        axis.plot(values, [at for at, _ in known], "o", ms=5, color=colour, label=label)
    axis.set_yticks(range(len(rows)), [row["variant"] for row in rows])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set(xlabel="accuracy")
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return drawn


@style.styled
def hiring_front(hiring: Mapping[str, Any]) -> Figure:
    """Draw the options of the hiring tool, and the curve of thresholds by group."""
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
def implied_rates(table: Mapping[str, Any], *, title: str) -> Figure:
    """Draw the false positive rates that base rates imply under one PPV and one FNR.

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
              label="implied by one PPV and one FNR")  # fmt: skip
    for colour, row in zip(style.SERIES * 9, rows, strict=False):
        axis.plot([row["base_rate"]] * 2, [row["fpr"], row["fpr_if_equal"]], color=colour, lw=1)
        axis.plot([row["base_rate"]], [row["fpr_if_equal"]], "o", ms=5, color=colour,
                  label=str(row["group"]))  # fmt: skip
        axis.plot([row["base_rate"]], [row["fpr"]], "o", ms=5, mfc=style.PAPER, color=colour)
    axis.set(xlabel="base rate", ylabel="false positive rate")
    axis.set_title(title)
    axis.legend(loc="upper left")
    return drawn


def _cross(
    axis: Axes, x: Mapping[str, Any], y: Mapping[str, Any], colour: str, *, alpha: float = 0.35
) -> None:
    for horizontal, estimate in ((True, x), (False, y)):
        if estimate["low"] is None or estimate["high"] is None:
            continue
        ends, at = [estimate["low"], estimate["high"]], (y if horizontal else x)["value"]
        line = (ends, [at, at]) if horizontal else ([at, at], ends)
        axis.plot(*line, color=colour, lw=0.8, alpha=alpha, zorder=1)
