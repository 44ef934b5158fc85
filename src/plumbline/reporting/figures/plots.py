"""The figures of the audits and of the report page.

Each function takes plain data and returns a figure; `style.svg` turns it into text. All fit a
telephone's width, so pages place them side by side where there is room.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plumbline import names
from plumbline.reporting.figures import style

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Which group metrics a figure shows first; of many, the first four that the audit has.
_ORDER = (
    names.SELECTION_RATE, names.TPR, names.FPR, names.ACCURACY, names.PPV, names.BITS_PER_CHARACTER,
    names.MEAN_RESIDUAL, names.RMSE, names.REPRESENTATION_GAP, names.CLASS_AGREEMENT,
    names.generative(names.FID),
)  # fmt: skip
MAX_PANELS, MAX_GROUPS, _LABEL = 4, 24, 26
# Drawn as a tick in the panel of another metric: what that metric is read against, per group.
_BESIDE = {names.generative(names.FID): names.generative(names.FID_FLOOR)}
_LEFT_OUT = {*_BESIDE.values(), names.SHARE, names.REFERENCE_SHARE}  # their difference is drawn
_ZERO = (names.REPRESENTATION_GAP, names.MEAN_RESIDUAL)  # read against zero, not an overall value


_WORDS = {
    names.FID: "Fréchet distance",
    names.FID_FLOOR: "Fréchet distance of real images",
    names.FID_TO_FLOOR: "Fréchet distance over its floor",
    names.KID: "kernel distance",
    names.AUROC: "AUROC",
    names.BRIER: "Brier score",
    names.F1_MACRO: "macro F1",
    names.R2: "R²",
}


def words(name: str) -> str:
    """Return a quantity's name as words: ``true_positive_rate`` → ``true positive rate``."""
    quantity, _, extractor = name.partition("/")
    text = _WORDS.get(quantity, quantity.replace("_", " "))
    return f"{text} ({extractor.replace('_', ' ')})" if extractor else text


# --- audits --------------------------------------------------------------------------------------


def audit_metrics(audit: Mapping[str, Any]) -> list[str]:
    """Return the group metrics that an audit's figure shows, most telling first.

    The metric of the worst gap is among them.
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

    Groups of one attribute stand together; a filled mark has an estimate that can be compared, a
    hollow one too few rows ("insufficient"); the line is the overall value.
    """
    shown = [_forest_rows(audit, metric) for metric in metrics]
    columns = 2 if len(metrics) > 1 else 1
    lines = max((len(rows) for rows in shown), default=0)
    rows = math.ceil(len(metrics) / columns) or 1
    wide = style.text_width(_short(line.label) for panel in shown for line in panel)
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
        if metric in _BESIDE:
            _floors(axis, panel, audit, _BESIDE[metric])
    if not metrics:
        axes[0].text(0.5, 0.5, "no group could be measured", ha="center", color=style.SOFT)
    return drawn


def overall(audit: Mapping[str, Any], metric: str) -> float | None:
    """Return what a metric's groups are read against: zero, or the value over all rows if known."""
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
    marked: bool = False


def _forest_rows(audit: Mapping[str, Any], metric: str) -> list[_Line]:
    worst = audit.get("worst") or {}
    extremes: tuple[Any, ...] = ()
    if worst.get("metric") == metric and worst.get("verdict") == names.DIFFERENCE:
        extremes = (worst.get("lowest"), worst.get("highest"))
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
        for row in rows:
            if row["attribute"] == attribute:
                marked = worst.get("attribute") == attribute and row["group"] in extremes
                lines.append(_Line(str(row["group"]), row, marked))
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
        axis.text(-0.03, y, _short(line.label), transform=side, ha="right", va="center",
                  color=style.SOFT if heading else style.INK,
                  fontstyle="italic" if heading else "normal")  # fmt: skip
        if line.row is not None:
            _estimate(axis, y, line.row, style.WARN if line.marked else style.ACCENT)
            axis.text(1.03, y, f"{line.row['n']:,}", transform=side, va="center", fontsize=8,
                      color=style.SOFT)  # fmt: skip
    axis.text(1.03, -0.9, "n", transform=side, va="bottom", fontsize=8, color=style.SOFT)


def _floors(axis: Axes, lines: Sequence[_Line], audit: Mapping[str, Any], beside: str) -> None:
    found = {
        (row["attribute"], row["group"]): row["value"]
        for row in audit["rows"]
        if row["metric"] == beside
    }
    for y, line in enumerate(lines):
        if line.row is None:
            continue
        value = found.get((line.row["attribute"], line.row["group"]))
        if value is not None:
            axis.plot(value, y, "|", ms=9, mew=1.6, color=style.SOFT, zorder=2)


def _estimate(axis: Axes, y: float, row: Mapping[str, Any], colour: str) -> None:
    if row["value"] is None:
        axis.text(0.5, y, "undefined", transform=axis.get_yaxis_transform(), ha="center",
                  va="center", fontsize=8, color=style.SOFT)  # fmt: skip
        return
    hollow = row["verdict"] == names.INSUFFICIENT
    colour = style.SOFT if hollow else colour
    if row["low"] is not None and row["high"] is not None:
        axis.plot([row["low"], row["high"]], [y, y], color=colour, lw=1 if hollow else 2.2,
                  solid_capstyle="round", zorder=2)  # fmt: skip
    axis.plot(row["value"], y, "o", ms=5.5, mec=colour, mfc=style.PAPER if hollow else colour,
              mew=1.2, zorder=3)  # fmt: skip


def _short(text: str, limit: int = _LABEL) -> str:
    text = text or "(empty)"
    return text if len(text) <= limit else text[: limit - 1] + "…"


# --- models compared -----------------------------------------------------------------------------


@style.styled
def headline_comparison(entries: Sequence[Mapping[str, Any]], *, quantity: str) -> Figure:
    """Draw models and what they are read against, with their intervals.

    Parameters
    ----------
    entries : sequence of mapping
        ``label, value, low, high`` (the last two may be None) and ``own``: True for a model of the
        pipeline, False for a reference, which is drawn hollow.
    quantity : str
        Name of the quantity on the axis.
    """
    entries = [entry for entry in entries if entry["value"] is not None]
    labels = [_short(str(entry["label"]), 30) for entry in entries]
    left = 0.25 + style.text_width(labels)
    drawn, (axis,) = style.figure(
        0.75 + 0.27 * max(len(entries), 2), margins=style.Margins(left=left, top=0.12)
    )
    axis.set_ylim(len(entries) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0, labelcolor=style.INK)
    axis.set_yticks(range(len(entries)), labels)
    axis.set_xlabel(words(quantity))
    axis.locator_params(axis="x", nbins=6)
    for y, entry in enumerate(entries):
        row = {**entry, "verdict": None if entry["own"] else names.INSUFFICIENT}
        _estimate(axis, y, row, style.ACCENT)
    return drawn


# --- training ------------------------------------------------------------------------------------


@style.styled
def learning_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Draw a training history: losses first, then each other quantity in a panel of its own.

    Parameters
    ----------
    history : mapping of str to sequence of float
        Columns of ``reports/history/<model>.csv``; NaN where undefined.
    """
    panels = _curve_panels(history)
    drawn, axes = style.figure(1.95 * max(len(panels), 1), rows=max(len(panels), 1))
    for axis, (title, columns) in zip(axes, panels, strict=False):
        axis.set_title(words(title))
        for number, column in enumerate(columns):
            pairs = zip(history["epoch"], history[column], strict=True)
            points = [(x, y) for x, y in pairs if not math.isnan(y)]
            mark = "o" if len(points) < 12 else ""
            axis.plot(*zip(*points, strict=True), marker=mark, ms=3, label=_series_name(column),
                      color=style.SERIES[number % len(style.SERIES)])  # fmt: skip
        axis.locator_params(axis="x", integer=True)
        axis.legend(loc="best", ncols=2)
    axes[-1].set_xlabel("batch" if _is_adversarial(history) else "epoch")
    return drawn


def _curve_panels(history: Mapping[str, Sequence[float]]) -> list[tuple[str, list[str]]]:
    panels: dict[str, list[str]] = {}
    for column, values in history.items():
        if column in ("epoch", "step") or names.LEARNING_RATE in column:
            continue
        if all(math.isnan(value) for value in values):
            continue
        quantity = column.rpartition("/")[2]
        panels.setdefault(names.LOSS if names.LOSS in quantity else quantity, []).append(column)
    ranked = sorted(panels, key=lambda quantity: (quantity != names.LOSS, quantity))
    return [(quantity, panels[quantity]) for quantity in ranked[:3]]


def _series_name(column: str) -> str:
    split, _, quantity = column.rpartition("/")
    split = {"train": "training", "val": "validation"}.get(split, split)
    part = quantity.replace(names.LOSS, "").strip("_").replace("_", " ")
    return part if names.LOSS in quantity and part else split or words(quantity)


def _is_adversarial(history: Mapping[str, Sequence[float]]) -> bool:
    return any("discriminator" in column for column in history)


# --- predictions ---------------------------------------------------------------------------------


@style.styled
def reliability_diagram(
    series: Mapping[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]], *, bins: int = 8
) -> Figure:
    """Draw stated confidence against observed frequency, in bins of equal counts.

    Parameters
    ----------
    series : mapping of str to (confidence, correct)
        Per model: stated probabilities in [0, 1] and whether the event came true, ``(N,)`` each.
    bins : int
        Number of bins; each holds about N / bins rows.
    """
    import numpy as np

    drawn, (axis,) = style.figure(3.5)
    axis.plot([0, 1], [0, 1], color=style.SOFT, lw=1, ls=(0, (4, 3)))
    for colour, (name, (confidence, correct)) in zip(style.SERIES, series.items(), strict=False):
        order = np.argsort(confidence, kind="stable")
        parts = [part for part in np.array_split(order, bins) if part.size]
        stated = [float(confidence[part].mean()) for part in parts]
        seen = [float(correct[part].mean()) for part in parts]
        spread = np.array([_wilson(float(correct[p].sum()), p.size) for p in parts]).T
        axis.vlines(stated, spread[0], spread[1], color=colour, lw=1, alpha=0.5)
        axis.plot(stated, seen, "o-", ms=4.5, lw=1.2, color=colour, label=name)
    axis.set(xlabel="stated probability", ylabel="observed frequency", ylim=(-0.03, 1.03))
    axis.set_title("calibration")
    axis.legend(loc="upper left")
    return drawn


def _wilson(hits: float, n: int, z: float = 1.959964) -> tuple[float, float]:
    # Wilson (1927), Probable inference, JASA 22: the score interval of a proportion.
    share, squared = hits / n, z * z
    centre = (share + squared / (2 * n)) / (1 + squared / n)
    half = z * math.sqrt(share * (1 - share) / n + squared / (4 * n * n)) / (1 + squared / n)
    return centre - half, centre + half


@style.styled
def roc_curve(
    series: Mapping[str, tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]],
) -> Figure:
    """Draw true against false positive rate over all thresholds.

    Parameters
    ----------
    series : mapping of str to (positive, score)
        Per model: which rows are positive ``(N,)``, and the score of the positive class ``(N,)``.
    """
    import numpy as np

    drawn, (axis,) = style.figure(3.5)
    axis.plot([0, 1], [0, 1], color=style.SOFT, lw=1, ls=(0, (4, 3)))
    for colour, (name, (positive, score)) in zip(style.SERIES, series.items(), strict=False):
        order = np.argsort(-score, kind="stable")
        # Rows of one score cross the threshold together: only the last of each tie is a point.
        last = np.append(np.diff(score[order]) != 0, True)
        hits = np.append(0, np.cumsum(positive[order])[last])
        false = np.append(0, np.cumsum(~positive[order])[last])
        axis.plot(false / false[-1], hits / hits[-1], color=colour, label=name)
    axis.set(xlabel="false positive rate", ylabel="true positive rate")
    axis.set_title("ROC curve")
    axis.legend(loc="lower right")
    return drawn


@style.styled
def confusion_matrix(
    counts: npt.NDArray[np.int64],
    *,
    classes: Sequence[str],
    title: str,
    sides: tuple[str, str] = ("true", "predicted"),
) -> Figure:
    """Draw how often each true class (row) was read as each class (column).

    Parameters
    ----------
    counts : array of shape (K, K)
        Rows are true classes; shading is the share within a row.
    classes : sequence of str
    title : str
    sides : pair of str
        What the rows and the columns are.
    """
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap

    k = len(classes)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    wide = style.text_width(_short(str(name), 10) for name in classes)
    drawn, (axis,) = style.figure(
        3.9, margins=style.Margins(left=0.4 + wide, bottom=0.45 + max(wide - 0.2, 0) * 0.7)
    )
    ramp = LinearSegmentedColormap.from_list("ramp", [style.SERIES[4] + "00", style.SERIES[0]])
    axis.pcolormesh(share, cmap=ramp, vmin=0, vmax=1, edgecolors="none", linewidth=0)
    axis.grid(visible=False)
    axis.set(xlim=(0, k), ylim=(k, 0), aspect="equal", xlabel=sides[1], ylabel=sides[0])
    axis.set_title(title)
    step = 1 if k <= 20 else 2
    places = np.arange(0, k, step)
    labels = [_short(str(classes[i]), 10) for i in range(0, k, step)]
    axis.set_xticks(places + 0.5, labels, rotation=0 if max(map(len, labels)) < 4 else 40)
    axis.set_yticks(places + 0.5, labels)
    if k <= 12:
        for row, column in np.argwhere(counts > 0):
            dark = share[row, column] > 0.5
            axis.text(column + 0.5, row + 0.5, f"{counts[row, column]}", ha="center", va="center",
                      fontsize=8, color="#fffffe" if dark else style.INK)  # fmt: skip
    return drawn


def sample_grid(
    images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64], *, classes: int, per_class: int
) -> bytes:
    """Return a PNG with one column per class and ``per_class`` images below each other.

    Parameters
    ----------
    images : uint8 array of shape (N, C, H, W)
        C is 1 (grey) or 3 (RGB).
    labels : int array of shape (N,)
    classes, per_class : int
        Size of the grid; the first images of each class are taken, missing ones stay blank.
    """
    import numpy as np

    _, channels, height, width = images.shape
    gap = max(1, height // 16)
    grid = np.full(
        (per_class * (height + gap) - gap, classes * (width + gap) - gap, channels), 127, np.uint8
    )
    for code in range(classes):
        for line, index in enumerate(np.flatnonzero(labels == code)[:per_class]):
            top, left = line * (height + gap), code * (width + gap)
            grid[top : top + height, left : left + width] = images[index].transpose(1, 2, 0)
    return style.png(grid[..., 0] if channels == 1 else grid)
