"""The drawings of the report page: which figure is made of which table."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline import artifacts, names
from plumbline.reporting.figures import plots, style
from plumbline.reporting.figures.audit import roc_attributes, roc_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from plumbline.artifacts import Predictions
    from plumbline.reporting.site.sections import ModelView

PER_CLASS = 8  # rows of the grids of samples


@dataclass
class Drawing:
    """Markup of one figure with its caption."""

    markup: str
    caption: str


def drawing(drawn: Figure, *, name: str, caption: str) -> Drawing:
    """Return a figure as inline SVG; the caption is what a screen reader says in its place."""
    return Drawing(style.inline(style.svg(drawn), name=name, label=caption), caption)


def task_drawings(
    task: str,
    models: Sequence[ModelView],
    *,
    tables: Mapping[str, Predictions],
    histories: Mapping[str, Mapping[str, Sequence[float]]],
) -> tuple[list[Drawing], list[Drawing]]:
    """Return the figures of a section: those in view, and those folded away.

    Parameters
    ----------
    task : str
        Id of the section; begins every element id of its figures.
    models : sequence of ModelView
    tables, histories : mapping of str
        Predictions and training histories by model; a classical model has no history.
    """
    shown = [_comparison(task, models)]
    classifiers = {m: t for m, t in tables.items() if t.kind == names.CLASSIFICATION}
    if classifiers:
        shown.append(_calibration(task, classifiers))
    binary = {m: t for m, t in classifiers.items() if t.positive is not None}
    if binary:
        shown.append(_roc(task, binary))
    matrices = [
        _confusion(task, model, table)
        for model, table in tables.items()
        if table.kind in (names.CLASSIFICATION, names.GENERATOR)
    ]
    curves = [
        drawing(
            plots.learning_curves(history),
            name=f"{task}-curves-{model}",
            caption=f"Learning curves of {label(model)}.",
        )
        for model, history in histories.items()
    ]
    few = 2
    in_view, folded = (matrices, []) if len(matrices) <= few and not binary else ([], matrices)
    return [*shown, *curves[:few], *in_view], [*curves[few:], *folded]


def label(model: str) -> str:
    """Return a model's short name: ``finetune_linear_probe`` → ``fine-tuned, linear probe``."""
    plain = {"fnn": "FNN", "rnn": "RNN", "cnn": "CNN", "gan": "GAN", "ngram": "n-gram"}
    if model.startswith("finetune_"):
        return f"fine-tuned, {model.removeprefix('finetune_').replace('_', ' ')}"
    return plain.get(model, model.replace("_", " "))


def _comparison(task: str, models: Sequence[ModelView]) -> Drawing:
    quantity = models[0].metrics["headline"]
    entries: dict[str, dict[str, Any]] = {}
    for model in models:
        same = model.metrics["metrics"].get(quantity)
        if same is not None:
            entries[label(model.name)] = {**same, "label": label(model.name), "own": True}
    for model in models:
        for estimate, key in zip(model.beside, model.beside_keys, strict=True):
            name = "real images" if key == quantity else key.rpartition("/")[0]
            text = "majority class" if name == "majority_class" else name.replace("_", " ")
            entries.setdefault(
                text,
                {
                    "label": text,
                    "value": estimate.value.value,
                    "low": estimate.low and estimate.low.value,
                    "high": estimate.high and estimate.high.value,
                    "own": False,
                },
            )
    better = "higher" if names.more_is_better(quantity) else "lower"
    what = plots.words(quantity)
    return drawing(
        plots.headline_comparison(list(entries.values()), quantity=quantity),
        name=f"{task}-comparison",
        caption=f"{what[:1].upper()}{what[1:]} on the test split with intervals; {better} is "
        "better. Hollow: what to read it against.",
    )


def _calibration(task: str, tables: Mapping[str, Predictions]) -> Drawing:
    series = {}
    for model, predictions in tables.items():
        test = (predictions.table["split"] == names.TEST).to_numpy()
        table, scores = predictions.table[test], predictions.scores()[test]
        if predictions.positive is not None:
            code = predictions.classes.index(predictions.positive)
            pair = scores[:, code], (table["y_true"] == code).to_numpy()
        else:
            pair = scores.max(axis=1), (table["y_true"] == table["y_pred"]).to_numpy()
        series[label(model)] = pair
    return drawing(
        plots.reliability_diagram(series),
        name=f"{task}-calibration",
        caption="Calibration: stated probability against observed frequency, in bins of equal "
        "size with 95 % intervals.",
    )


def _roc(task: str, tables: Mapping[str, Predictions]) -> Drawing:
    series = {}
    for model, predictions in tables.items():
        test = (predictions.table["split"] == names.TEST).to_numpy()
        code = predictions.classes.index(predictions.positive or "")
        truth = (predictions.table.loc[test, "y_true"] == code).to_numpy()
        series[label(model)] = truth, predictions.scores()[test][:, code]
    caption = "True against false positive rate over all thresholds."
    return drawing(plots.roc_curve(series), name=f"{task}-roc", caption=caption)


def _confusion(task: str, model: str, predictions: Predictions) -> Drawing:
    import numpy as np

    table = predictions.table[predictions.table["split"] == names.TEST]
    k = len(predictions.classes)
    codes = table["y_true"].to_numpy() * k + table["y_pred"].to_numpy()
    counts = np.bincount(codes, minlength=k * k).reshape(k, k)
    asked = predictions.kind == names.GENERATOR
    caption = (
        f"{label(model)}: class asked for (rows) and class the extractor sees (columns)."
        if asked
        else f"{label(model)}: true class (rows) and predicted class (columns) on the test split."
    )
    sides = ("asked for", "seen") if asked else ("true", "predicted")
    drawn = plots.confusion_matrix(
        counts, classes=predictions.classes, title=label(model), sides=sides
    )
    return drawing(drawn, name=f"{task}-confusion-{model}", caption=caption)


def audit_drawings(
    model: str, title: str, audit: Mapping[str, Any], metrics: Sequence[str]
) -> list[Drawing]:
    """Return one forest panel per metric, and the ROC curves by each attribute."""
    found = []
    for number, metric in enumerate(metrics):
        drawn = plots.audit_panels(audit, [metric])
        caption = f"{title}: {plots.words(metric)} by group."
        found.append(drawing(drawn, name=f"audit-{model}-{number}", caption=caption))
    for number, attribute in enumerate(roc_attributes(audit)):
        band = (
            f"; each band holds its whole true curve with {100 * audit['confidence']:g} % "
            "confidence"
            if any(c["margin_fpr"] is not None for c in audit["roc"])
            else ""
        )
        caption = (
            f"{title}: ROC curves by {plots.words(attribute)}, with rows of the positive class "
            f"and others{band}."
        )
        drawn = roc_panels(audit, [attribute])
        found.append(drawing(drawn, name=f"audit-{model}-roc-{number}", caption=caption))
    return found


def image_grids(root: Path) -> list[Drawing]:
    """Return generated images and real ones as PNG grids; empty if nothing was generated."""
    import numpy as np

    path = root / names.SAMPLES / "gan.npz"
    if not path.is_file():
        return []
    with np.load(path) as archive:
        images, labels = archive["images"], archive["labels"]
    classes = int(labels.max()) + 1
    grids = [("Generated", images, labels)]
    size = images.shape[-1]
    folder = root / names.PREPARED / names.IMAGES
    if (folder / f"images_{size}.npy").is_file():
        table, _ = artifacts.read_table(folder / "table.parquet")
        train = (table["split"] == names.TRAIN).to_numpy()
        pixels = np.load(folder / f"images_{size}.npy")
        grids.append(("Real, from the training split", pixels[train], table["y"].to_numpy()[train]))
    return [
        Drawing(
            _picture(plots.sample_grid(pixels, codes, classes=classes, per_class=PER_CLASS), text),
            f"{text}; one column per class.",
        )
        for text, pixels, codes in grids
    ]


def _picture(png: bytes, text: str) -> str:
    data = base64.b64encode(png).decode()
    return f'<img class="pixels" src="data:image/png;base64,{data}" alt="{text}: images by class">'
