"""Forest plots: a value per group with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plumbline import names
from plumbline.artifacts.plain_text import visible
from plumbline.reporting.figures import style
from plumbline.reporting.rendering import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Which group metrics a figure shows first; of many, the first four that the audit has.
_ORDER = (
    names.SELECTION_RATE, names.TPR, names.FPR, names.ACCURACY, names.PPV, names.BITS_PER_CHARACTER,
    names.MEAN_PREDICTION, names.MEAN_RESIDUAL, names.MAE, names.RMSE, names.REPRESENTATION_GAP,
    names.CLASS_AGREEMENT, names.generative(names.KID),
)  # fmt: skip
MAX_PANELS, MAX_GROUPS, _LABEL = 4, 24, 26
_LEFT_OUT = {names.SHARE, names.REFERENCE_SHARE}  # their difference is drawn
# Colour and marker of a verdict; a value without one is described, not compared.
_MARKS = {
    names.DIFFERENCE: (style.DIFFERS, "D"),
    names.EQUIVALENT: (style.EQUIVALENT, "s"),
    names.INCONCLUSIVE: (style.SOFT, "o"),
    names.INSUFFICIENT: (style.FAINT, "o"),
    None: (style.INK, "o"),
}
# Their reference is zero.
_ZERO = (names.REPRESENTATION_GAP, names.MEAN_RESIDUAL, names.generative(names.KID))


def audit_metrics(audit: Mapping[str, Any]) -> list[str]:
    """Return the group metrics that an audit's figure shows, in the order of its panels.

    The metric of the largest gap is among them.
    """
    found = dict.fromkeys(row["metric"] for row in audit["rows"] if row["metric"] not in _LEFT_OUT)
    worst = (audit.get("worst") or {}).get("metric")
    ranked = [m for m in _ORDER if m in found] + [m for m in found if m not in _ORDER]
    first = [worst] if worst in found else []
    chosen = (first + [m for m in ranked if m != worst])[:MAX_PANELS]
    return [m for m in ranked if m in chosen]


@style.styled
def audit_panels(audit: Mapping[str, Any], metrics: Sequence[str]) -> Figure:
    """Draw one forest panel per metric, at most two side by side.

    Groups of one attribute are listed together; `plumbline.reporting.verdicts.LEGEND` says what
    marks and colours mean.
    """
    shown = [_forest_rows(audit, metric) for metric in metrics]
    columns = 2 if len(metrics) > 1 else 1
    lines = max((len(rows) for rows in shown), default=0)
    rows = math.ceil(len(metrics) / columns) or 1
    wide = style.text_width(short(line.label) for panel in shown for line in panel)
    drawn, axes = style.figure(
        (0.85 + 0.21 * max(lines, 3)) * rows,
        width=style.WIDTH * columns,
        rows=rows,
        columns=columns,
        margins=style.Margins(left=0.25 + wide, right=0.6, top=0.45, bottom=0.34),
    )
    for axis in axes[len(metrics) :]:
        axis.axis("off")
    for axis, metric, panel in zip(axes, metrics, shown, strict=False):
        _forest(axis, panel, metric=metric, overall=overall(audit, metric))
    if not metrics:
        axes[0].text(0.5, 0.5, "no group could be measured", ha="center", color=style.SOFT)
    return drawn


def overall(audit: Mapping[str, Any], metric: str) -> float | None:
    """Return the reference of a metric's groups: zero, or the value over all rows if known."""
    if metric in _ZERO:
        return 0.0
    for row in audit["rows"]:
        if row["metric"] == metric and row["attribute"] == names.OVERALL:
            return None if row["value"] is None else float(row["value"])
    return None


@dataclass(frozen=True)
class _Line:
    label: str
    row: Mapping[str, Any] | None  # None: the heading of an attribute


def _forest_rows(audit: Mapping[str, Any], metric: str) -> list[_Line]:
    rows = [
        row
        for row in audit["rows"]
        if row["metric"] == metric
        and row["attribute"] != names.OVERALL
        and names.INTERSECTION not in row["attribute"]
    ]
    if len(rows) > MAX_GROUPS:  # keep the largest groups, in the order of the file
        kept = sorted(rows, key=lambda row: -row["n"])[:MAX_GROUPS]
        rows = [row for row in rows if row in kept]
    lines: list[_Line] = []
    for attribute in dict.fromkeys(row["attribute"] for row in rows):
        lines.append(_Line(words(str(attribute)), None))
        own = [row for row in rows if row["attribute"] == attribute]
        lines += [_Line(str(row["group"]), row) for row in own]
    return lines


def _forest(axis: Axes, lines: Sequence[_Line], *, metric: str, overall: float | None) -> None:
    axis.set_title(words(metric))
    axis.grid(visible=False, axis="y")
    axis.set_ylim(len(lines) - 0.4, -0.6)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    if overall is not None:
        axis.axvline(overall, color=style.SOFT, lw=1, ls=(0, (4, 3)), zorder=1)
    side = axis.get_yaxis_transform()
    for y, line in enumerate(lines):
        heading = line.row is None
        axis.text(-0.03, y, short(line.label), transform=side, ha="right", va="center",
                  color=style.SOFT if heading else style.INK,
                  fontstyle="italic" if heading else "normal")  # fmt: skip
        if line.row is not None:
            colour, marker = _MARKS[line.row["verdict"]]
            insufficient = line.row["verdict"] == names.INSUFFICIENT
            draw_estimate(axis, y, line.row, colour, hollow=insufficient, marker=marker)
            axis.text(1.03, y, f"{line.row['n']:,}", transform=side, va="center", fontsize=8,
                      color=style.SOFT)  # fmt: skip
    axis.text(1.03, -0.9, "n", transform=side, va="bottom", fontsize=8, color=style.SOFT)


def draw_estimate(
    axis: Axes, y: float, row: Mapping[str, Any], colour: str, *, hollow: bool, marker: str = "o"
) -> None:
    """Draw ``value`` with ``low`` and ``high`` on the line y; "undefined" without a value."""
    if row["value"] is None:
        axis.text(0.5, y, "undefined", transform=axis.get_yaxis_transform(), ha="center",
                  va="center", fontsize=8, color=style.SOFT)  # fmt: skip
        return
    if row["low"] is not None and row["high"] is not None:
        axis.plot([row["low"], row["high"]], [y, y], color=colour, lw=1 if hollow else 2.2,
                  solid_capstyle="round", zorder=2)  # fmt: skip
    axis.plot(row["value"], y, marker, ms=5.5, mec=colour, mfc=style.PAPER if hollow else colour,
              mew=1.2, zorder=3)  # fmt: skip


def short(text: str, limit: int = _LABEL) -> str:
    """Return a label cut to ``limit`` characters."""
    text = visible(text) or "(empty)"
    return text if len(text) <= limit else text[: limit - 1] + "…"
