"""Overfitting: what each technique brings on few training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.reporting.figures import style
from plumbline.studies.feedforward.claims import _figures
from plumbline.studies.framework.claims import Claim, Difference
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

NONE = "none"
_NAMES = {
    "": "technique", NONE: "no technique", "l2": "L2 (weight decay)", "l1": "L1",
    "elastic_net": "elastic net", "dropout": "dropout", "augmentation": "shifted digits",
    "early_stopping": "early stopping", "batch_norm": "batch norm",
    "smaller_network": "smaller network", "pruning": "pruning", "ensemble": "ensemble",
    "more_data": "more data", "residual": "residual connections", "step": "steps",
    "exponential": "exponential decay", "cosine": "cosine decay", "input_noise": "input noise",
    "label_smoothing": "label smoothing", "mixup": "mixup", "start": "the chapter's first choice",
    "together": "eight together",
}  # fmt: skip
TERMS: dict[str, Any] = {
    "accuracy": "test accuracy",
    "gap": "generalisation gap",
    "train_loss": "training loss",
    "test_loss": "test loss",
    "calibration_error": "calibration error",
    "data": {"": "data", "digits": "digits", "diabetes": "diabetes"},
    "technique": _NAMES,
}


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw the difference of each technique to none, seed by seed."""
    data = {name: rows[rows["data"] == name] for name in ("digits", "diabetes")}
    shown = {"accuracy": ("digits", "accuracy"), "gap_digits": ("digits", "gap"),
             "calibration": ("digits", "calibration_error"),
             "test_loss_diabetes": ("diabetes", "test_loss")}  # fmt: skip
    return {f"{name}.svg": _effects(data[of], metric) for name, (of, metric) in shown.items()}


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the means over seeds of each technique."""
    values = ["train_loss", "test_loss", "gap", "accuracy", "calibration_error"]
    means = rows.groupby(["data", "technique"], sort=False)[values].mean()
    return {"Means over seeds": means.reset_index()}


def _effects(rows: pd.DataFrame, metric: str) -> str:
    """Draw the mean change and the range over seeds of each technique."""
    by_seed = rows.pivot(index="seed", columns="technique", values=metric)
    changes = by_seed.drop(columns=NONE).sub(by_seed[NONE], axis=0)
    order = list(changes.mean().sort_values().index)
    drawn, axis = style.lines([_NAMES[name] for name in order], f"change of the {TERMS[metric]}")
    _figures.ranges(axis, changes[order], np.arange(len(order)), colour=style.ACCENT)
    axis.axvline(0, color=style.SOFT, lw=1)
    return style.svg(drawn)


def _change(metric: str, technique: str, data: str = "digits") -> Difference:
    def at(name: str) -> dict[str, Any]:
        return {"data": data, "technique": name}

    return Difference(metric, at(technique), at(NONE))


def _claim(name: str, statement: str, metric: str, direction: Any, relevant: float,
           data: str = "digits") -> Claim:  # fmt: skip
    where = "" if data == "digits" else f"_{data}"
    return Claim(
        f"{name}_{metric}{where}", "E9", statement, _change(metric, name, data), direction, relevant
    )


_ACCURATE = {
    "l2": "Weight decay (L2) raises the accuracy on new digits.",
    "l1": "An L1 penalty raises the accuracy on new digits.",
    "dropout": "Dropout raises the accuracy on new digits.",
    "augmentation": "Shifted training digits raise the accuracy on new digits.",
    "early_stopping": "Early stopping raises the accuracy on new digits.",
    "batch_norm": "Batch normalisation regularises: it raises the accuracy on new digits.",
    "smaller_network": "A smaller network is more accurate on new digits.",
    "ensemble": "An ensemble is more accurate on new digits than one network.",
    "more_data": "Three times the training rows raise the accuracy on new digits.",
    "cosine": "A falling learning rate raises the accuracy on new digits.",
    "input_noise": "Noise on the inputs raises the accuracy on new digits.",
    "start": "The chapter's first choice of four techniques raises the accuracy on new digits.",
}
CLAIMS = (
    *(_claim(name, text, "accuracy", "more", 0.01) for name, text in _ACCURATE.items()),
    _claim("l2", "Weight decay (L2) narrows the generalisation gap.", "gap", "less", 0.02),
    _claim("dropout", "Dropout narrows the generalisation gap.", "gap", "less", 0.02),
    _claim(
        "more_data", "More training rows narrow the generalisation gap.", "gap", "less", 0.02
    ),
    _claim(
        "label_smoothing", "Label smoothing improves the calibration.", "calibration_error", "less",
        0.01,
    ),
    _claim(
        "early_stopping", "Early stopping lowers the error on new diabetes patients.", "test_loss",
        "less", 0.05, "diabetes",
    ),
    _claim(
        "l2", "Weight decay (L2) lowers the error on new diabetes patients.", "test_loss", "less",
        0.05, "diabetes",
    ),
    _claim(
        "dropout", "Dropout lowers the error on new diabetes patients.", "test_loss", "less", 0.05,
        "diabetes",
    ),
)  # fmt: skip

STUDY = Study(
    name="overfitting",
    lab="feedforward",
    title="Techniques against overfitting",
    exercises=("E9",),
    question="What does each technique against overfitting bring on 100 training rows?",
    claims=CLAIMS,
    figures=figures,
    captions={
        "accuracy.svg": "Digits: change of the test accuracy by each technique, mean and range "
        "over seeds. Above 0 the technique helps.",
        "gap_digits.svg": "Digits: change of the generalisation gap in nats, mean and range over "
        "seeds. Below 0 there is less overfitting.",
        "calibration.svg": "Digits: change of the calibration error, mean and range over seeds. "
        "Below 0 probabilities are closer to the share of right decisions.",
        "test_loss_diabetes.svg": "Diabetes: change of the test error in units of the targets' "
        "variance, mean and range over seeds. Below 0 the technique helps.",
    },
    tables=tables,
    terms=TERMS,
    notes=(
        "Every technique changes one thing of the same network, with a strength from the chapter's "
        "ranges that is not tuned; a tuned strength may bring more. Seeds draw initial weights and "
        "training rows; test rows are the same for all, so intervals do not cover other test rows.",
        "Early stopping trains on four fifths of the rows, and stops by the others. More data are "
        "three times the rows. Pruning removes four fifths of the weights after training, without "
        "further training. *start* is what the chapter starts with: augmentation, batch norm, "
        "dropout and early stopping. *together* has augmentation, batch norm, dropout, L2, input "
        "noise, a cosine schedule, an ensemble and more data.",
        "The generalisation gap is the loss on test rows less the loss on training rows, both in "
        "evaluation and without penalties; the error of diabetes is the mean squared error in "
        "units of the targets' variance. Figures show the mean change and its range over seeds.",
        "Left out: spatial dropout, DropConnect, depthwise convolutions and global pooling (for "
        "convolutional networks), augmentation and smoothing of diabetes (a table, a regression), "
        "bagging, and cross-validation, which measures and does not prevent overfitting (`make "
        "study LAB=fairness` runs it).",
    ),
)
