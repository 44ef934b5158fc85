"""The folds together: mean, spread and an interval that allows for what the folds share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.reporting.rendering import escape, table
from plumbline.studies.cross_validation.parts import Scheme

COVERS = (
    "the expected value of a model fitted to so many rows of the same population; approximate: "
    "k-fold values have no unbiased estimate of their variance (Bengio and Grandvalet 2004)"
)
NOT_COVERED = (
    "no interval: each fold trains on all the rows of those before it and the data may drift, so "
    "the values are no repetitions of one experiment"
)


def corrected_interval(
    values: npt.ArrayLike, *, ratio: float, confidence: float
) -> tuple[float, float]:
    """Return the interval of the mean of values of folds whose training rows overlap.

    ``mean ± t · sqrt((1/k + ratio) · s²)`` with k - 1 degrees of freedom and s² the sample
    variance: Nadeau and Bengio (2003), Inference for the Generalization Error, Machine Learning
    52, 239-281, whose correction for random resampling is used for folds as is common. Without
    ``ratio`` the folds would be taken for independent and the interval would be too short.

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
    """Return what ``reports/cross_validation.json`` holds.

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
        part and fold, ``held_out_to_fitted`` (mean ratio of rows), what the ``interval_covers`` and
        of each model ``mean``, ``standard_deviation`` (over the folds, k - 1), ``interval`` (None
        for forward chaining; cut at the bounds of the quantity) and the value of each of the
        ``folds``.
    """
    quantity = scores[0]["quantity"]
    parts = dict.fromkeys(part for score in scores for part in score["rows"])
    rows = {part: [score["rows"].get(part, 0) for score in scores] for part in parts}
    ratio = float(np.mean(np.divide(rows["held_out"], rows["fitted"])))
    lowest = 0.0 if quantity == names.AUROC else -math.inf
    in_time = scheme.kind == "forward_chaining"

    def row(model: str) -> dict[str, Any]:
        values = [score["models"][model]["value"] for score in scores]
        low, high = corrected_interval(values, ratio=ratio, confidence=confidence)
        return {
            "mean": float(np.mean(values)),
            "standard_deviation": float(np.std(values, ddof=1)),
            "interval": None if in_time else [max(low, lowest), min(high, 1.0)],
            "folds": values,
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
    by = {
        "grouped": f" by {summary['group']}",
        "forward_chaining": f" by {summary['order']}",
    }.get(summary["kind"], "")
    share = f"{summary['confidence']:.0%} interval"
    folds = range(summary["folds"])
    rows = summary["rows"]
    values = [
        [
            name,
            f"{model['mean']:.3f}",
            f"{model['standard_deviation']:.3f}",
            "{:.3f} to {:.3f}".format(*model["interval"]) if model["interval"] else "none",
            *(f"{value:.3f}" for value in model["folds"]),
        ]
        for name, model in summary["models"].items()
    ]
    sizes = [[part.replace("_", " "), *counts] for part, counts in rows.items()]
    shown = [
        "# Cross-validation",
        "",
        escape(
            f"{summary['quantity']} of the classical models on the tabular data, "
            f"{summary['folds']} folds ({summary['kind']}{by}) of the training and validation "
            "rows; the test rows are in none. Settings are chosen on rows of the training part, "
            "never on held-out ones."
        ),
        *_design(summary),
        "",
        table(
            ["model", "mean", "standard deviation", share, *(f"fold {k}" for k in folds)], values
        ),
        "",
        escape(f"The interval covers {summary['interval_covers']}.")
        if summary["kind"] != "forward_chaining"
        else escape(f"There is {summary['interval_covers']}."),
        "",
        table(["rows", *(f"fold {k}" for k in folds)], sizes),
        "",
        "What `prepare` learns from the training split (a median that makes classes, filled",
        "values, encodings) is learnt once, before the folds, and bias is injected once: all folds",
        "share both.",
    ]
    return "\n".join(shown) + "\n"


def _design(summary: Mapping[str, Any]) -> list[str]:
    said = []
    if "entities" in summary:
        said.append(f"No entity, of {summary['entities']}, is in two parts of a fold.")
    if "left_out" in summary["rows"]:
        said.append(
            "Rows left out are those that come before what the same entity is chosen on or scored "
            "by: the values are of entities that a model has not seen."
        )
    if summary.get("weighted"):
        said.append("Rows count by their weight, in fitting, choosing and scoring.")
    return ["", " ".join(said)] if said else []
