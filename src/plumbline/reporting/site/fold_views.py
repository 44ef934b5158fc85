"""The section of the report page about cross-validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plumbline import names
from plumbline.reporting.figures import style
from plumbline.reporting.references import Book, Reference
from plumbline.reporting.rendering import words
from plumbline.reporting.site.figures import Drawing, drawing
from plumbline.reporting.site.models import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass
class FoldRow:
    """One model: mean over the folds with its interval, and their standard deviation."""

    mean: Estimate
    spread: Reference


@dataclass
class FoldsView:
    """The models on every fold; ``covers``: what their intervals cover, or why there are none."""

    quantity: str
    scheme: str
    covers: str
    rows: list[FoldRow]
    drawings: list[Drawing]


def folds_view(book: Book) -> FoldsView | None:
    """Return the models of ``reports/cross_validation.json``, the best mean first; None without."""
    file = names.CROSS_VALIDATION
    if not book.has(file):
        return None
    summary = book.read(file)
    models = summary["models"]
    order = sorted(models, key=lambda name: -models[name]["mean"])
    quantity, scheme = words(summary["quantity"]), scheme_words(summary)
    shown = drawing(
        fold_figure({name: models[name] for name in order}, quantity=quantity),
        name="folds-values",
        caption=f"{quantity[:1].upper()}{quantity[1:]} on the held-out rows: each fold (hollow), "
        "mean over the folds (filled) and its interval.",
    )
    return FoldsView(
        quantity, scheme, summary["interval_covers"], [_row(book, name) for name in order], [shown]
    )


def scheme_words(summary: Mapping[str, Any]) -> str:
    """Return how rows were divided, e.g. ``5 folds (grouped by patient)``."""
    column = summary["group"] or summary["order"]
    by = f" by {words(column)}" if column else ""
    return f"{summary['folds']} folds ({words(summary['kind'])}{by})"


@style.styled
def fold_figure(models: Mapping[str, Mapping[str, Any]], *, quantity: str) -> Figure:
    """Draw a line per model: a hollow marker per fold, the mean, and its interval if it has one.

    Parameters
    ----------
    models : mapping of str to mapping
        ``mean``, ``interval`` (two numbers or None) and ``folds`` (a number each).
    quantity : str
        Name of the quantity on the axis.
    """
    drawn, axis = style.lines([words(name) for name in models], quantity, step=0.36)
    below = 0.24  # of a line: folds are drawn below the mean and its interval
    for y, model in enumerate(models.values()):
        if model["interval"]:
            axis.plot(model["interval"], [y, y], color=style.ACCENT, lw=1.6, solid_capstyle="butt")
        axis.plot([model["mean"]], [y], "o", ms=5, color=style.ACCENT)
        axis.plot(
            model["folds"], [y + below] * len(model["folds"]),
            "o", ms=3.5, mfc=style.PAPER, color=style.SOFT, mew=0.9,
        )  # fmt: skip
    return drawn


def _row(book: Book, model: str) -> FoldRow:
    file, way = names.CROSS_VALIDATION, ("models", model)
    found = book.read(file)["models"][model]
    low, high = (
        (book.at(file, *way, "interval", end) for end in (0, 1))
        if found["interval"]
        else (None, None)
    )
    mean = Estimate(words(model), book.at(file, *way, "mean"), low, high)
    return FoldRow(mean, book.at(file, *way, "standard_deviation"))
