"""Figures of models: comparison, learning curves, calibration, ROC curve, confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from plumbline import names
from plumbline.reporting.figures import gradients, style
from plumbline.reporting.figures.forest import draw_estimate, short
from plumbline.reporting.rendering import words

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@style.styled
def comparison(entries: Sequence[Mapping[str, Any]], *, quantity: str) -> Figure:
    """Draw models and their baselines with intervals.

    Parameters
    ----------
    entries : sequence of mapping
        ``label, value, low, high`` (the last two may be None) and ``baseline``: True for a
        baseline or reference, which is drawn hollow.
    quantity : str
        Name of the quantity on the axis.
    """
    entries = [entry for entry in entries if entry["value"] is not None]
    drawn, axis = style.lines([short(str(entry["label"]), 30) for entry in entries], quantity)
    for y, entry in enumerate(entries):
        colour = style.SOFT if entry["baseline"] else style.ACCENT
        draw_estimate(axis, y, entry, colour, hollow=entry["baseline"])
    kinds = dict.fromkeys(entry["baseline"] for entry in entries)
    if len(kinds) == 2:
        handles = [
            axis.plot([], [], "o", ms=5.5, mew=1.2, mec=edge, mfc=fill)[0]
            for edge, fill in ((style.ACCENT, style.ACCENT), (style.SOFT, style.PAPER))
        ]
        axis.legend(handles, ["model", "baseline"], loc="lower left", bbox_to_anchor=(0, 1),
                    ncols=2)  # fmt: skip
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
        if column.startswith(gradients.PREFIX):  # in a figure of their own
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
def reliability_diagram(series: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Draw predicted probability against observed frequency.

    Parameters
    ----------
    series : mapping of str to mapping
        Per model: ``predicted``, ``observed``, ``low`` and ``high`` of each bin.
    """
    drawn, axis = _unit_square("predicted probability", "observed frequency", "calibration")
    for colour, (name, found) in zip(style.SERIES, series.items(), strict=False):
        axis.vlines(found["predicted"], found["low"], found["high"], color=colour, lw=1, alpha=0.5)
        axis.plot(found["predicted"], found["observed"], "o-", ms=4.5, lw=1.2, color=colour,
                  label=name)  # fmt: skip
    axis.set(ylim=(-0.03, 1.03))
    axis.legend(loc="upper left")
    return drawn


@style.styled
def roc_curves(series: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Draw true against false positive rate over all thresholds.

    Parameters
    ----------
    series : mapping of str to mapping
        Per model: ``fpr`` and ``tpr`` of each point.
    """
    drawn, axis = _unit_square("false positive rate", "true positive rate", "ROC curve")
    for colour, (name, found) in zip(style.SERIES, series.items(), strict=False):
        axis.plot(found["fpr"], found["tpr"], color=colour, label=name)
    axis.legend(loc="lower right")
    return drawn


def _unit_square(x: str, y: str, title: str) -> tuple[Figure, Axes]:
    drawn, (axis,) = style.figure(3.5)
    axis.plot([0, 1], [0, 1], color=style.SOFT, lw=1, ls=(0, (4, 3)))
    axis.set(xlabel=x, ylabel=y)
    axis.set_title(title)
    return drawn, axis


@style.styled
def confusion_matrix(
    matrix: Sequence[Sequence[int]],
    *,
    classes: Sequence[str],
    title: str,
    sides: tuple[str, str] = ("true", "predicted"),
) -> Figure:
    """Draw how many rows of each true class (row) got each predicted class (column).

    Parameters
    ----------
    matrix : sequence of shape (K, K)
        Rows are true classes; shading is the share within a row.
    classes : sequence of str
    title : str
    sides : pair of str
        Names of the vertical and the horizontal axis.
    """
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap

    k, counts = len(classes), np.asarray(matrix, dtype=np.int64)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    wide = style.text_width(short(str(name), 10) for name in classes)
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
    labels = [short(str(classes[i]), 10) for i in range(0, k, step)]
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
