"""Summary of cross-validation: mean, standard deviation and an interval for dependent folds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.reporting.rendering import Safe, escape, interval, page, show, table, words
from plumbline.studies.cross_validation.parts import Scheme

COVERS = (
    "the expected value of a model trained on as many rows of the same population; approximate: "
    "k-fold values have no unbiased estimate of their variance (Bengio and Grandvalet 2004)"
)
NOT_COVERED = (
    "no interval: each fold trains on the rows of all earlier folds and the data may drift, so the "
    "values are not repetitions of one experiment"
)


def corrected_interval(
    values: npt.ArrayLike, *, ratio: float, confidence: float
) -> tuple[float, float]:
    """Return the interval of the mean over folds whose training rows overlap.

    ``mean ± t · sqrt((1/k + ratio) · s²)`` with k - 1 degrees of freedom and s² the sample
    variance: Nadeau and Bengio (2003), Inference for the Generalization Error, Machine Learning
    52, 239-281, whose correction for random resampling is commonly used for folds. Without
    ``ratio`` the folds would be treated as independent and the interval would be too short.

    Parameters
    ----------
    values : array_like, (k,)
        At least 2.
    ratio : float
        Held-out rows over fitted rows, > 0.
    confidence : float
        In (0, 1).
    """
    from scipy.stats import t

    found = np.asarray(values, dtype=np.float64)
    spread = math.sqrt((1 / len(found) + ratio) * found.var(ddof=1))
    half = float(t.ppf((1 + confidence) / 2, len(found) - 1)) * spread
    return float(found.mean()) - half, float(found.mean()) + half


def summarise(
    scores: Sequence[Mapping[str, Any]], scheme: Scheme, *, confidence: float
) -> dict[str, Any]:
    """Return the content of ``reports/cross_validation.json``.

    Parameters
    ----------
    scores : sequence of mapping
        `plumbline.studies.cross_validation.scoring.fold_scores` of every fold, in their order.
    scheme : Scheme
    confidence : float

    Returns
    -------
    dict
        The scheme, ``entities`` and ``weighted`` of tables with them, ``quantity``, ``rows`` by
        part and fold, ``held_out_to_fitted`` (mean ratio of rows), ``interval_covers`` (text) and
        of each model ``mean``, ``standard_deviation`` (over the folds, k - 1), ``interval`` (None
        for forward chaining; cut at the bounds of the quantity), the value of each of the
        ``folds``, and the number of rows ``fitted`` in each, where it was a drawn part.
    """
    quantity = scores[0]["quantity"]
    parts = dict.fromkeys(part for score in scores for part in score["rows"])
    rows = {part: [score["rows"].get(part, 0) for score in scores] for part in parts}
    ratio = _ratio(rows["held_out"], rows["fitted"])
    lowest = 0.0 if quantity == names.AUROC else -math.inf
    in_time = scheme.kind == "forward_chaining"

    def row(model: str) -> dict[str, Any]:
        values = [score["models"][model]["value"] for score in scores]
        drawn = [score["models"][model].get("drawn") for score in scores]
        fitted = [own or every for own, every in zip(drawn, rows["fitted"], strict=True)]
        own_ratio = _ratio(rows["held_out"], fitted)
        low, high = corrected_interval(values, ratio=own_ratio, confidence=confidence)
        return {
            "mean": float(np.mean(values)),
            "standard_deviation": float(np.std(values, ddof=1)),
            "interval": None if in_time else [max(low, lowest), min(high, 1.0)],
            "folds": values,
            **({"fitted": fitted} if any(drawn) else {}),
        }

    return {
        **vars(scheme),
        **{key: scores[0][key] for key in ("entities", "weighted") if key in scores[0]},
        "quantity": quantity,
        "confidence": confidence,
        "interval_covers": NOT_COVERED if in_time else COVERS,
        "rows": rows,
        "held_out_to_fitted": ratio,
        "models": {model: row(model) for model in scores[0]["models"]},
    }


def summary_to_markdown(summary: Mapping[str, Any]) -> str:
    """Return the page of ``reports/cross_validation.json``."""
    folds = [f"fold {k}" for k in range(summary["folds"])]
    column = summary["group"] or summary["order"]
    scheme = f"{words(summary['kind'])}{f' by {column}' if column else ''}"
    values = [
        [
            name,
            show(model["mean"]),
            show(model["standard_deviation"]),
            _interval(model) or "none",
            *map(show, model["folds"]),
        ]
        for name, model in summary["models"].items()
    ]
    sizes = [[words(part), *map(show, counts)] for part, counts in summary["rows"].items()]
    drawn = [
        [f"fitted, drawn: {name}", *map(show, model["fitted"])]
        for name, model in summary["models"].items()
        if "fitted" in model
    ]
    share = f"{show(summary['confidence'], 'percent')} interval"
    covers = "The interval covers" if summary["kind"] != "forward_chaining" else "There is"
    return page(
        [
            "# Cross-validation",
            escape(
                f"{words(summary['quantity'])} of the classical models on the tabular data, "
                f"{summary['folds']} folds ({scheme}) of the training and validation rows; test "
                "rows are not used. Hyperparameters are chosen within the training rows of each "
                "fold."
            ),
            _design(summary),
            table(["model", "mean", "standard deviation", share, *folds], values),
            escape(f"{covers} {summary['interval_covers']}."),
            table(["rows", *folds], [*sizes, *drawn]),
            "The folds share what `prepare` computed before: bins, imputed values and encodings "
            "from the training split, and injected bias.",
        ]
    )


def _ratio(held_out: Sequence[int], fitted: Sequence[int]) -> float:
    return float(np.mean(np.divide(held_out, fitted)))


def _interval(model: Mapping[str, Any]) -> Safe:
    low, high = model["interval"] or (None, None)
    return interval({"value": model["mean"], "low": low, "high": high})


def _design(summary: Mapping[str, Any]) -> str:
    found = []
    if "entities" in summary:
        found.append(f"The {show(summary['entities'])} entities are each in one part of a fold.")
    if "left_out" in summary["rows"]:
        found.append(
            "Rows left out precede rows of the same entity that are used for selection or "
            "scoring: the values are for entities that a model has not seen."
        )
    if summary.get("weighted"):
        found.append("Rows are weighted in training, selection and scoring.")
    return " ".join(found)
