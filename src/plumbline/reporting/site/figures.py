"""The figures of the report page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline import artifacts, catalog, names
from plumbline.reporting.comparisons import label
from plumbline.reporting.figures import forest, gradients, style
from plumbline.reporting.figures import models as plots
from plumbline.reporting.figures.audit import roc_attributes, roc_panels
from plumbline.reporting.rendering import words
from plumbline.reporting.site.models import ModelView

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PER_CLASS = 8  # rows of the grids of samples


@dataclass
class Drawing:
    """Markup of one figure with its caption."""

    markup: str
    caption: str


def drawing(drawn: Figure, *, name: str, caption: str) -> Drawing:
    """Return a figure as inline SVG; the caption is what a screen reader says in its place."""
    return Drawing(style.inline(style.svg(drawn), name=name, label=caption), caption)


def section_drawings(
    section: str,
    models: Sequence[ModelView],
    histories: Mapping[str, Mapping[str, Sequence[float]]],
) -> tuple[list[Drawing], list[Drawing]]:
    """Return the figures of a section of models: those in view, and those shown on demand.

    Parameters
    ----------
    section : str
        Its id; begins every element id of its figures.
    models : sequence of ModelView
    histories : mapping of str
        Training histories by model; a classical model has no history.
    """
    curves = {model.name: model.metrics.get("curves", {}) for model in models}
    shown = [_comparison(section, models)]
    for kind, draw, caption in (
        ("reliability", plots.reliability_diagram,
         "Calibration: mean predicted probability and observed frequency in quantile bins, with "
         "intervals."),
        ("roc", plots.roc_curves, "ROC curves: true and false positive rate over all thresholds."),
    ):  # fmt: skip
        if series := {label(m): found[kind] for m, found in curves.items() if kind in found}:
            shown.append(drawing(draw(series), name=f"{section}-{kind}", caption=caption))
    matrices = [_confusion(section, model) for model in models if "confusion" in curves[model.name]]
    learning = [
        drawing(
            plots.learning_curves(history),
            name=f"{section}-curves-{model}",
            caption=f"Learning curves of {label(model)}.",
        )
        for model, history in histories.items()
    ]
    layers = [
        drawing(
            gradients.gradients(history, network),
            name=f"{section}-gradients-{model}-{network}",
            caption=f"Gradients and updates of the layers of {label(model)} ({network}).",
        )
        for model, history in histories.items()
        for network in gradients.networks(history)
    ]
    few = 2
    binary = any("roc" in found for found in curves.values())
    in_view, folded = (matrices, []) if len(matrices) <= few and not binary else ([], matrices)
    return [*shown, *learning[:few], *in_view], [*learning[few:], *folded, *layers]


def _comparison(section: str, models: Sequence[ModelView]) -> Drawing:
    quantity = models[0].metrics["main_metric"]
    entries: dict[str, dict[str, Any]] = {}
    for model in models:
        same = model.metrics["metrics"].get(quantity)
        if same is not None:
            entries[label(model.name)] = {**same, "baseline": False}
    for model in models:
        for key in model.baseline_keys:
            name = "real images" if key == quantity else label(key.rpartition("/")[0])
            entries.setdefault(name, {**model.metrics["reference"][key], "baseline": True})
    better = "higher" if names.more_is_better(quantity) else "lower"
    what = words(quantity)
    labelled = [{**entry, "label": name} for name, entry in entries.items()]
    return drawing(
        plots.comparison(labelled, quantity=quantity),
        name=f"{section}-comparison",
        caption=f"{what[:1].upper()}{what[1:]} on the test split with intervals; {better} is "
        "better.",
    )


def _confusion(section: str, model: ModelView) -> Drawing:
    found, title = model.metrics["curves"], label(model.name)
    sides = ("true", "predicted")
    if model.metrics["kind"] == names.GENERATOR:
        sides = ("requested", "recognised")
    drawn = plots.confusion_matrix(
        found["confusion"], classes=found["classes"], title=title, sides=sides
    )
    caption = f"{title}: {sides[0]} class (rows) and {sides[1]} class (columns), test split."
    return drawing(drawn, name=f"{section}-confusion-{model.name}", caption=caption)


def audit_drawings(
    model: str, title: str, audit: Mapping[str, Any], metrics: Sequence[str]
) -> list[Drawing]:
    """Return one forest panel per metric, and the ROC curves by each attribute."""
    found = []
    for number, metric in enumerate(metrics):
        drawn = forest.audit_panels(audit, [metric])
        caption = f"{title}: {words(metric)} by group."
        found.append(drawing(drawn, name=f"audit-{model}-{number}", caption=caption))
    for number, attribute in enumerate(roc_attributes(audit)):
        band = (
            f"; each band contains the whole true curve with {100 * audit['confidence']:g} % "
            "confidence"
            if any(c["margin_fpr"] is not None for c in audit["roc"])
            else ""
        )
        caption = (
            f"{title}: ROC curves by {words(attribute)}, with the numbers of positive and "
            f"negative rows{band}."
        )
        drawn = roc_panels(audit, [attribute])
        found.append(drawing(drawn, name=f"audit-{model}-roc-{number}", caption=caption))
    return found


def image_grids(root: Path) -> list[Drawing]:
    """Return generated images and real ones as PNG grids; empty if nothing was generated."""
    import numpy as np

    grids = []
    for path in sorted((root / names.SAMPLES).glob(f"*/{names.IMAGE_SAMPLES}")):
        with np.load(path) as archive:
            images, labels = archive["images"], archive["labels"]
        grids.append(("Generated", images, labels))
        folder = root / names.PREPARED / catalog.model(path.parent.name).dataset
        pixels = folder / f"images_{images.shape[-1]}.npy"
        if pixels.is_file():
            table, _ = artifacts.read_table(folder / "table.parquet")
            train = (table["split"] == names.TRAIN).to_numpy()
            real, codes = np.load(pixels)[train], table["y"].to_numpy()[train]
            grids.append(("Real, from the training split", real, codes))
    return [
        Drawing(
            _picture(_grid(pixels, codes), text),
            f"{text}; one column per class.",
        )
        for text, pixels, codes in grids
    ]


def _grid(pixels: Any, codes: Any) -> bytes:
    return plots.sample_grid(pixels, codes, classes=int(codes.max()) + 1, per_class=PER_CLASS)


def _picture(png: bytes, text: str) -> str:
    data = base64.b64encode(png).decode()
    return f'<img class="pixels" src="data:image/png;base64,{data}" alt="{text}: images by class">'
