"""Point values of torchmetrics in the report of a model.

Taken from torchmetrics, which computes them in double precision: macro F1, AUROC, Brier score,
RMSE, MAE and R². They differ from our own by at most the last digit.

Our own code stays for

- accuracy, balanced accuracy and calibration error: torchmetrics computes them in single precision
  whatever its input, and is off by up to 7e-8, so that an accuracy is not the quotient of its
  counts;
- log loss: logarithms of torch in double precision begin with the processor's own approximation of
  a reciprocal, and their last bits with it;
- AUROC where a class has no test row: torchmetrics counts the class as 0, we leave it out;
- bits per character and perplexity: torchmetrics needs the logits of every character, the
  predictions table holds sums over blocks;
- generators: torchmetrics' Fréchet distance needs an extractor network and covariances that are not
  singular;
- rows with weights, which torchmetrics does not have, and all intervals: replicates are weights.

Importing torchmetrics takes 2.7 CPU seconds, and torch 1.2 before it. So these values are taken
only where torch is loaded anyway, that is, for networks; classical models keep ours. This is the
one module of `plumbline.metrics` that imports torch.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.compat import torchvision


def with_point_values(report: Mapping[str, Any], predictions: Predictions) -> dict[str, Any]:
    """Return the report with the point values that torchmetrics computes, where torch is loaded.

    Intervals stay.

    Parameters
    ----------
    report : mapping
        From `plumbline.metrics.summary.predictions_to_metrics`.
    predictions : Predictions
    """
    if "torch" not in sys.modules:
        return dict(report)
    metrics = dict(report["metrics"])
    for name, value in point_values(predictions).items():
        if metrics[name]["value"] is not None:
            metrics[name] = {**metrics[name], "value": value}
    return {**report, "metrics": metrics}


def point_values(predictions: Predictions) -> dict[str, float]:
    """Return torchmetrics' values of the test rows by name; none where ours are reported."""
    measure: dict[str, Callable[[Predictions, Any], dict[str, float]]] = {
        names.CLASSIFICATION: _classification,
        names.REGRESSION: _regression,
    }
    test = (predictions.table["split"] == names.TEST).to_numpy()
    if predictions.kind not in measure or predictions.weights(test) is not None:
        return {}
    torchvision.install()
    import torch

    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # what torchmetrics divides integers in
    try:
        return measure[predictions.kind](predictions, test)
    finally:
        torch.set_default_dtype(usual)


def _classification(predictions: Predictions, test: Any) -> dict[str, float]:
    import torch
    from torchmetrics.functional import classification, mean_squared_error

    table, classes = predictions.table[test], len(predictions.classes)
    true, decided = (torch.tensor(table[side].to_numpy(np.int64)) for side in ("y_true", "y_pred"))
    scores = torch.tensor(predictions.scores()[test])
    indicators = torch.nn.functional.one_hot(true, classes).double()
    found = {
        names.F1_MACRO: classification.multiclass_f1_score(decided, true, classes, average="macro"),
        # Half of the sum over classes: 0 to 1.
        names.BRIER: classes / 2 * mean_squared_error(scores.flatten(), indicators.flatten()),
    }
    if indicators.any(dim=0).all():
        found[names.AUROC] = (
            classification.binary_auroc(scores[:, 1], true)
            if classes == 2
            else classification.multiclass_auroc(scores, true, classes, average="macro")
        )
    return {name: float(value) for name, value in found.items()}


def _regression(predictions: Predictions, test: Any) -> dict[str, float]:
    import torch
    from torchmetrics.functional import mean_absolute_error, mean_squared_error, r2_score

    table = predictions.table[test]
    true, predicted = (torch.tensor(table[s].to_numpy(np.float64)) for s in ("y_true", "y_pred"))
    found: dict[str, Any] = {
        # Not its own root: torch.sqrt has other last bits on other processors.
        names.RMSE: math.sqrt(mean_squared_error(predicted, true)),
        names.MAE: mean_absolute_error(predicted, true),
    }
    if len(true) > 1:
        found[names.R2] = r2_score(predicted, true)
    return {name: float(value) for name, value in found.items()}
