"""Claims on corrupted digits: what is robust to what, and what happens to gaps between groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plumbline.reporting.figures import style
from plumbline.studies.framework.claims import Claim, Difference, Slope
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

_MODELS = {
    "cnn": "convolutional network", "cnn with noise": "the same, trained with noise",
    "fnn": "feed-forward network", "logistic regression": "logistic regression",
    "probe": "probe of ImageNet features",
}  # fmt: skip
_CORRUPTIONS = {
    name: name for name in ("noise", "blur", "jpeg", "shift", "contrast")
} | {"mean": "mean of all corruptions"}  # fmt: skip
_ATTRIBUTES = ("slant", "thickness")
_ROWS = "all rows"
TERMS: dict[str, Any] = {
    "accuracy": "accuracy",
    "excess": "gap between groups beyond chance",
    "model": {"": "model", **_MODELS},
    "corruption": {"": "corruption", **_CORRUPTIONS},
    "severity": {"": "severity", **{number: f"severity {number}" for number in range(6)}},
    "attribute": {"": "groups", _ROWS: "", "slant": "slant", "thickness": "stroke thickness"},
}


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw accuracy and gaps over severity, a panel per corruption or attribute."""
    gaps = rows[(rows["corruption"] == "mean")]
    return {
        "accuracy.svg": style.stacked([
            _curves(rows[(rows["corruption"] == name) & (rows["attribute"] == _ROWS)],
                    "accuracy", text)
            for name, text in _CORRUPTIONS.items()
        ]),
        "gaps.svg": style.stacked([
            _curves(gaps[gaps["attribute"] == name], "excess", TERMS["attribute"][name])
            for name in _ATTRIBUTES
        ]),
    }  # fmt: skip


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return mean accuracies by severity, and gaps beside those of drawn groups."""
    plain = rows[rows["attribute"] == _ROWS]
    accuracy = plain.pivot_table(
        index=["model", "corruption"], columns="severity", values="accuracy", sort=False
    )
    gaps = rows[(rows["corruption"] == "mean") & rows["severity"].isin([0, 3, 5])]
    gaps = gaps.sort_values("severity", kind="stable")
    by = gaps[gaps["attribute"] != _ROWS].groupby(["model", "attribute", "severity"], sort=False)
    return {
        "Accuracy by severity": accuracy.sort_index(axis=1)
        .rename(columns="severity {}".format)
        .reset_index(),
        "Gaps between groups": by[["gap", "chance", "excess"]].mean().reset_index(),
    }


def _curves(rows: pd.DataFrame, metric: str, title: str) -> str:
    """Draw means over severity and ranges over seeds, a line per model."""
    drawn, (axis,) = style.figure(3.5, margins=style.Margins(left=0.75, bottom=1.25))
    for (name, text), hue in zip(_MODELS.items(), style.SERIES, strict=False):
        values = rows[rows["model"] == name].groupby("severity")[metric]
        if not len(values):
            continue
        mean, low, high = values.mean(), values.min(), values.max()
        axis.plot(mean.index, mean, "o-", ms=4, color=hue, label=text)
        axis.fill_between(mean.index, low, high, color=hue, alpha=0.12, lw=0)
    axis.set(title=title, xlabel="severity", ylabel=TERMS[metric])
    if metric == "excess":
        axis.axhline(0, color=style.SOFT, lw=1)
        axis.set_ylabel("gap beyond chance")
    drawn.legend(*axis.get_legend_handles_labels(), loc="lower center", ncols=2)
    return style.svg(drawn)


def _at(model: str, corruption: str, severity: int | None, attribute: str = _ROWS
        ) -> dict[str, Any]:  # fmt: skip
    place = {"model": model, "corruption": corruption, "attribute": attribute}
    return place if severity is None else {**place, "severity": severity}


def _falls(model: str) -> Claim:
    return Claim(
        f"accuracy_falls_{model.replace(' ', '_')}", "E8",
        f"The accuracy falls with the severity of corruptions: {_MODELS[model]}.",
        Slope("accuracy", "severity", _at(model, "mean", None)), "less", 0.02,
    )  # fmt: skip


def _grows(attribute: str) -> Claim:
    return Claim(
        f"gap_grows_{attribute}", "E8",
        f"The gap between groups of {TERMS['attribute'][attribute]} grows with the severity.",
        Slope("excess", "severity", _at("cnn", "mean", None, attribute)), "more", 0.005,
    )  # fmt: skip


def _against(name: str, statement: str, first: str, second: str, corruption: str,
             relevant: float = 0.02) -> Claim:  # fmt: skip
    change = Difference("accuracy", _at(first, corruption, 3), _at(second, corruption, 3))
    return Claim(name, "E8", statement, change, "more", relevant)


def _narrows(attribute: str) -> Claim:
    first, second = (
        _at(model, "noise", 4, attribute) for model in ("cnn with noise", "cnn")
    )  # fmt: skip
    return Claim(
        f"noise_narrows_{attribute}", "E8",
        f"Training with noise narrows the gap between groups of "
        f"{TERMS['attribute'][attribute]} under noise.",
        Difference("excess", first, second), "less", 0.02,
    )  # fmt: skip


STUDY = Study(
    name="robustness",
    lab="transfer",
    title="Robustness to corruptions, by group",
    exercises=("E8",),
    question="How do accuracy and gaps between groups change when pictures are corrupted?",
    claims=(
        *(_falls(model) for model in ("cnn", "fnn", "logistic regression")),
        *(_grows(attribute) for attribute in _ATTRIBUTES),
        _against("noise_training_helps", "Training with noise raises the accuracy under noise.",
                 "cnn with noise", "cnn", "noise"),
        _against("noise_training_helps_contrast", "Training with noise also raises the accuracy "
                 "with less contrast.", "cnn with noise", "cnn", "contrast"),
        *(_narrows(attribute) for attribute in _ATTRIBUTES),
        _against("cnn_shift", "A convolutional network is more accurate on shifted digits than a "
                 "feed-forward network.", "cnn", "fnn", "shift"),
        _against("cnn_noise", "A convolutional network is more accurate under noise than a "
                 "feed-forward network.", "cnn", "fnn", "noise"),
        _against("probe_blur", "Logistic regression of ImageNet features is more accurate on "
                 "blurred digits than that of pixels.", "probe", "logistic regression", "blur"),
        _against("probe_noise", "Logistic regression of ImageNet features is more accurate under "
                 "noise than that of pixels.", "probe", "logistic regression", "noise"),
    ),
    figures=figures,
    captions={
        "accuracy.svg": "Accuracy by severity: means (lines) and ranges over seeds (bands). "
        "Severity 0 is the picture as it is.",
        "gaps.svg": "Accuracy of the best group less that of the worst, beyond what groups drawn "
        "at random in the same sizes show: means over corruptions (lines), ranges over seeds "
        "(bands). At 0 there is no gap but that of chance.",
    },
    tables=tables,
    terms=TERMS,
    notes=(
        "Digits of scikit-learn; seeds draw the split and the weights. Corruptions are those of "
        "Hendrycks and Dietterich in their own strengths, with lengths in shares of the side. "
        "Groups are thirds of slant and of stroke thickness, which also hold the digit's own "
        "shape: nearly every 6 is in the left group.",
        "The largest of three accuracies less the smallest is above 0 by chance, and more so the "
        "lower the accuracy: a gap is therefore compared with that of drawn groups.",
        "Training with noise adds a noisy copy of each picture, at half the epochs: as many "
        "updates as without. It is the corruption of the test, at severities 1 to 5. The "
        "probe sees noise and blur of severity 3 alone: its features take long.",
    ),
)  # fmt: skip
