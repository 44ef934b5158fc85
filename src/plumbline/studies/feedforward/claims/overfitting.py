"""Overfitting: what each technique brings on few training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.metrics.intervals.proportions import student
from plumbline.reporting.figures import style
from plumbline.studies.feedforward.claims import _figures
from plumbline.studies.framework.claims import Claim, Difference
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

NONE = "none"
TEST, BEST, SPAN = "test", "test, best epoch", "range of groups"
_CONFIDENCE = 0.95  # of each interval of a table
_NAMES = {
    "": "technique", NONE: "no technique", "l2": "L2 (weight decay)", "l1": "L1",
    "elastic_net": "elastic net", "dropout": "dropout", "drop_connect": "DropConnect",
    "augmentation": "shifted digits", "early_stopping": "early stopping",
    "batch_norm": "batch norm", "smaller_network": "smaller network", "pruning": "pruning",
    "ensemble": "ensemble", "more_data": "more data", "residual": "residual connections",
    "step": "steps", "exponential": "exponential decay", "cosine": "cosine decay",
    "input_noise": "input noise", "label_smoothing": "label smoothing", "mixup": "mixup",
    "start": "the chapter's first choice", "together": "eight together",
}  # fmt: skip
TERMS: dict[str, Any] = {
    "accuracy": "accuracy",
    "gap": "generalisation gap",
    "train_loss": "training loss",
    "loss": "loss",
    "calibration_error": "calibration error",
    "data": {"": "data", "digits": "digits", "diabetes": "diabetes"},
    "technique": _NAMES,
    "on": {
        "": "rows", TEST: "test rows", BEST: "test rows, best epoch",
        SPAN: "gap between groups of test rows", "sex code 1": "sex code 1",
        "sex code 2": "sex code 2",
    },
}  # fmt: skip


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw the difference of each technique to none, seed by seed, and learning curves."""
    test, span = (rows[rows["on"] == on] for on in (TEST, SPAN))
    shown = {
        "accuracy": (test, "digits", "accuracy", "test accuracy"),
        "gap_digits": (test, "digits", "gap", "generalisation gap"),
        "calibration": (test, "digits", "calibration_error", "calibration error"),
        "test_loss_diabetes": (test, "diabetes", "loss", "test error"),
        "gap_between_digits": (span, "digits", "accuracy", "accuracy gap"),
    }
    effects = {
        f"{name}.svg": _effects(found[found["data"] == source], metric, quantity)
        for name, (found, source, metric, quantity) in shown.items()
    }
    return {"learning_curves.svg": _learning_curves(rows[rows["on"] == "validation"]), **effects}


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the means over seeds of each technique, and results by group."""
    values = ["train_loss", "loss", "gap", "accuracy", "calibration_error"]
    test = rows[rows["on"] == TEST]
    means = test.groupby(["data", "technique"], sort=False)[values].mean()
    plain = rows[(rows["technique"] == NONE) & ~rows["on"].isin([TEST, BEST, SPAN, "validation"])]
    return {
        "Means over seeds": means.reset_index(),
        "Groups without a technique, with 95 % intervals over seeds": _by_group(plain, "on"),
        "Gaps between groups (largest less smallest), with 95 % intervals over seeds": _by_group(
            rows[rows["on"] == SPAN], "technique"
        ),
    }


def _by_group(rows: pd.DataFrame, place: str) -> pd.DataFrame:
    """Return accuracy of digits and loss of diabetes at each place, with intervals over seeds."""
    import pandas as pd

    found = []
    for (source, at), own in rows.groupby(["data", place], sort=False):
        metric = "accuracy" if source == "digits" else "loss"
        low, high = student(own[metric], confidence=_CONFIDENCE)
        name = "group" if place == "on" else place
        found.append((source, at, metric, own[metric].mean(), low, high))
    return pd.DataFrame(found, columns=["data", name, "metric", "mean", "low", "high"])


def _learning_curves(rows: pd.DataFrame) -> str:
    """Draw the mean training and validation losses over epochs, a panel per data set."""
    sources = list(dict.fromkeys(rows["data"]))
    drawn, axes = style.figure(
        2.9 * len(sources), rows=len(sources), margins=style.Margins(bottom=0.95)
    )
    colours = dict(zip(dict.fromkeys(rows["technique"]), style.SERIES, strict=False))
    for axis, source in zip(axes, sources, strict=True):
        for name, own in rows[rows["data"] == source].groupby("technique", sort=False):
            means = own.groupby("epoch")[["train_loss", "loss"]].mean()
            colour = colours[name]
            axis.plot(means.index, means["loss"], lw=1.5, color=colour, label=_NAMES[name])
            axis.plot(means.index, means["train_loss"], "--", lw=1.0, color=colour)
        axis.set(ylim=(0, 1.2), title=TERMS["data"][source], xlabel="epoch", ylabel="loss")
    drawn.legend(
        *axes[0].get_legend_handles_labels(), loc="lower center", ncols=3, columnspacing=1.2
    )
    return style.svg(drawn)


def _effects(rows: pd.DataFrame, metric: str, quantity: str) -> str:
    """Draw the mean change and the range over seeds of each technique."""
    by_seed = rows.pivot(index="seed", columns="technique", values=metric)
    changes = by_seed.drop(columns=NONE).sub(by_seed[NONE], axis=0)
    order = list(changes.mean().sort_values().index)
    drawn, axis = style.lines([_NAMES[name] for name in order], f"change of the {quantity}")
    _figures.ranges(axis, changes[order], np.arange(len(order)), colour=style.ACCENT)
    axis.axvline(0, color=style.SOFT, lw=1)
    return style.svg(drawn)


def _at(technique: str, data: str, on: str) -> dict[str, Any]:
    return {"data": data, "technique": technique, "on": on}


def _claim(name: str, statement: str, metric: str, direction: Any, relevant: float,
           data: str = "digits", on: str = TEST) -> Claim:  # fmt: skip
    where = "" if data == "digits" else f"_{data}"
    where += "_groups" if on == SPAN else ""
    change = Difference(metric, _at(name, data, on), _at(NONE, data, on))
    return Claim(f"{name}_{metric}{where}", "E9", statement, change, direction, relevant)


def _best(statement: str, metric: str, direction: Any, relevant: float, data: str) -> Claim:
    """Compare the network of the best epoch with that of the last one."""
    change = Difference(metric, _at(NONE, data, BEST), _at(NONE, data, TEST))
    return Claim(f"best_epoch_{metric}_{data}", "E9", statement, change, direction, relevant)


_ACCURATE = {
    "l2": "Weight decay (L2) raises the accuracy on new digits.",
    "l1": "An L1 penalty raises the accuracy on new digits.",
    "dropout": "Dropout raises the accuracy on new digits.",
    "drop_connect": "DropConnect raises the accuracy on new digits.",
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
        "early_stopping", "Early stopping lowers the error on new diabetes patients.", "loss",
        "less", 0.05, "diabetes",
    ),
    _claim(
        "l2", "Weight decay (L2) lowers the error on new diabetes patients.", "loss", "less",
        0.05, "diabetes",
    ),
    _claim(
        "dropout", "Dropout lowers the error on new diabetes patients.", "loss", "less", 0.05,
        "diabetes",
    ),
    _best(
        "The epoch with the lowest validation loss has a lower loss on new digits than the last "
        "epoch.", "loss", "less", 0.02, "digits",
    ),
    _best(
        "The epoch with the lowest validation loss is as accurate on new digits as the last epoch.",
        "accuracy", "equal", 0.01, "digits",
    ),
    _best(
        "The epoch with the lowest validation loss has a lower error on new diabetes patients than "
        "the last epoch.", "loss", "less", 0.05, "diabetes",
    ),
    _claim(
        "more_data",
        "More training rows narrow the gap between the digits recognised best and worst.",
        "accuracy", "less", 0.02, on=SPAN,
    ),
    _claim(
        "dropout", "Dropout narrows the gap between the digits recognised best and worst.",
        "accuracy", "less", 0.02, on=SPAN,
    ),
    Claim(
        "sexes_loss_diabetes", "E9",
        "Without a technique, the error on new diabetes patients is the same for both sexes.",
        Difference(
            "loss", _at(NONE, "diabetes", "sex code 2"), _at(NONE, "diabetes", "sex code 1")
        ),
        "equal", 0.1,
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
        "learning_curves.svg": "Loss after each epoch, mean over seeds: of validation rows (lines) "
        "and of training rows (dashed). Overfitting begins where they diverge. Losses above "
        "1.2 are not shown.",
        "accuracy.svg": "Digits: change of the test accuracy by each technique, mean and range "
        "over seeds. Above 0 the technique helps.",
        "gap_digits.svg": "Digits: change of the generalisation gap in nats, mean and range over "
        "seeds. Below 0 there is less overfitting.",
        "calibration.svg": "Digits: change of the calibration error, mean and range over seeds. "
        "Below 0 probabilities are closer to the share of right decisions.",
        "test_loss_diabetes.svg": "Diabetes: change of the test error in units of the targets' "
        "variance, mean and range over seeds. Below 0 the technique helps.",
        "gap_between_digits.svg": "Digits: change of the gap in accuracy between the digits "
        "recognised best and worst, mean and range over seeds. Below 0 the gap is narrower.",
    },
    tables=tables,
    terms=TERMS,
    notes=(
        "Every technique changes one thing of the same network, with a strength from the chapter's "
        "ranges that is not tuned; a tuned strength may bring more. Seeds draw initial weights and "
        "training rows; test rows are the same for all, so intervals do not cover other test rows.",
        "Early stopping trains on four fifths of the rows, and stops by the others. More data are "
        "three times the rows. Pruning removes four fifths of the weights after training, without "
        "further training. *The chapter's first choice* is augmentation, batch norm, dropout and "
        "early stopping. *Eight together* are augmentation, batch norm, dropout, L2, input noise, "
        "cosine decay, an ensemble and more data.",
        "The generalisation gap is the loss on test rows less the loss on training rows, both in "
        "evaluation and without penalties; the error of diabetes is the mean squared error in "
        "units of the targets' variance. Figures show the mean change and its range over seeds.",
        "Further rows validate after each epoch: learning curves, and the best epoch, that of the "
        "lowest loss of each network on them. Groups are the digits, and the two sexes, which the "
        "diabetes table codes as 1 and 2. The largest of ten accuracies less the smallest is above "
        "0 by chance alone, with every technique.",
        "Left out: spatial dropout (`train_cnn.spatial_dropout` trains with it), depthwise "
        "convolutions and global pooling, for convolutional networks, augmentation and smoothing "
        "of diabetes (a table, a regression), "
        "bagging, and cross-validation, which measures and does not prevent overfitting (`make "
        "study LAB=fairness` runs it).",
    ),
)
