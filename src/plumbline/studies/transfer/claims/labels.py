"""Labels: what pretraining is worth, by labels per class, source, layer and strategy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from plumbline.reporting.figures import style
from plumbline.studies.framework.claims import Claim, Difference
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

TERMS: dict[str, Any] = {
    "accuracy": "test accuracy",
    "gain": "gain on training from scratch, test accuracy",
    "data": {
        "": "data", "digits": "digits", "new_characters": "new printed characters",
        "mnist": "MNIST", "omniglot": "Omniglot", "clothing": "clothing", "faces": "faces",
    },
    "source": {
        "": "source", "imagenet": "ImageNet", "glyphs": "printed characters",
        "rotation": "rotations", "random": "random weights", "pixels": "pixels",
        "none": "no source",
    },
    "read": {
        "": "layer", "pooled": "last layer", "middle map": "middle block",
        "middle pooled": "middle block, mean", "pixels": "", "all": "",
    },
    "strategy": {
        "": "strategy", "nearest mean": "nearest class mean", "probe": "linear probe",
        "full": "full training", "partial": "partial fine-tuning", "lp_ft": "LP-FT",
    },
    "labels": "labels per class {}",
    "draw": {"": "draw", "first": "first draw", "again": "another draw"},
}  # fmt: skip
SETTING = ["source", "read", "strategy"]
_SHOWN = {
    ("imagenet", "pooled", "probe"): "ImageNet, last layer",
    ("imagenet", "middle map", "probe"): "ImageNet, middle block",
    ("glyphs", "pooled", "probe"): "printed characters",
    ("glyphs", "all", "lp_ft"): "printed characters, LP-FT",
    ("pixels", "pixels", "probe"): "pixels",
    ("none", "all", "full"): "from scratch",
}


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw accuracy over labels for each data set, and by source and layer."""
    first = rows[rows["draw"] == "first"]
    return {"accuracy.svg": _curves(first), "layers.svg": _layers(first)}


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the mean accuracy of every setting by labels, and its costs."""
    first = rows[rows["draw"] == "first"]
    order = list(dict.fromkeys(first["labels"]))
    by_labels = first.pivot_table(
        index=["data", *SETTING], columns="labels", values="accuracy", sort=False
    )[order]
    shown = by_labels.map(lambda mean: "–" if math.isnan(mean) else f"{mean:.3f}")
    at_ten = first[(first["labels"] == "10") & (first["strategy"] != "nearest mean")]
    found = at_ten.groupby(["data", *SETTING], sort=False).agg(
        training_pictures=("rows", "first"),
        trainable_parameters=("trainable", "first"),
        million_multiply_adds=("operations", lambda of: of.mean() / 1e6),
        accuracy=("accuracy", "mean"),
        standard_deviation=("accuracy", "std"),
    )
    return {
        "Mean accuracy by labels per class": shown.rename_axis(columns=None).reset_index(),
        "Costs and spread at 10 labels per class": found.reset_index(),
    }


def _curves(rows: pd.DataFrame) -> str:
    names = list(dict.fromkeys(rows["data"]))
    drawn, axes = style.figure(
        2.5 * len(names) + 0.6, rows=len(names), margins=style.Margins(bottom=1.0)
    )
    for axis, name in zip(axes, names, strict=True):
        own = rows[rows["data"] == name]
        ticks = list(dict.fromkeys(own["labels"]))
        for (setting, label), colour in zip(_SHOWN.items(), style.SERIES, strict=True):
            chosen = own[(own[SETTING] == list(setting)).all(axis=1)]
            if chosen.empty:
                continue
            by_labels = chosen.groupby("labels", sort=False)["accuracy"].agg(["mean", "min", "max"])
            at = [ticks.index(each) for each in by_labels.index]
            axis.plot(at, by_labels["mean"], "o-", ms=3.5, color=colour, label=label)
            axis.fill_between(at, by_labels["min"], by_labels["max"], color=colour, alpha=0.15)
        axis.set_xticks(range(len(ticks)), ticks)
        axis.set(title=TERMS["data"][name], xlabel="labels per class", ylabel="test accuracy")
    drawn.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=2)
    return style.svg(drawn)


def _layers(rows: pd.DataFrame) -> str:
    """Draw the accuracy of the probe with 10 labels by source and layer, a dot per seed."""
    own = rows[(rows["strategy"] == "probe") & (rows["labels"] == "10")]
    names = list(dict.fromkeys(own["data"]))
    settings = list(dict.fromkeys(zip(own["source"], own["read"], strict=True)))
    labels = [
        ", ".join(filter(None, (TERMS["source"][source], TERMS["read"][read])))
        for source, read in settings
    ]
    drawn, axis = style.lines(labels, "test accuracy", step=0.33)
    for number, name in enumerate(names):
        for place, (source, read) in enumerate(settings):
            at = own[(own["data"] == name) & (own["source"] == source) & (own["read"] == read)]
            axis.plot(
                at["accuracy"], [place + 0.12 * (number - (len(names) - 1) / 2)] * len(at), "o",
                ms=3.5, alpha=0.6, color=style.SERIES[number],
                label=TERMS["data"][name] if not place else "",
            )  # fmt: skip
    drawn.legend(loc="upper center", ncols=3, handletextpad=0.1, columnspacing=1)
    return style.svg(drawn)


def _at(source: str, read: str, strategy: str, labels: str, data: str = "digits") -> dict[str, Any]:
    return {"data": data, "source": source, "read": read, "strategy": strategy, "labels": labels,
            "draw": "first"}  # fmt: skip


def _versus(
    identity: str, statement: str, first: dict[str, Any], second: dict[str, Any], relevant: float,
    metric: str = "accuracy", **kind: Any,
) -> Claim:  # fmt: skip
    contrast = Difference(metric, first, second)
    return Claim(identity, "E7", statement, contrast, "more", relevant, **kind)


def _probe(source: str, labels: str, data: str = "digits", read: str = "pooled") -> dict[str, Any]:
    return _at(source, "pixels" if source == "pixels" else read, "probe", labels, data)


_SCRATCH, _TUNED = (_at(source, "all", "full", "10") for source in ("none", "glyphs"))
_GLYPHS = _probe("glyphs", "1")
CLAIMS = (
    _versus("pretrained_beats_scratch", "With one label per class, pretraining on printed "
            "characters beats training from scratch.", _GLYPHS, _at("none", "all", "full", "1"),
            0.05),
    _versus("gain_shrinks", "The gain of pretraining shrinks with labels.", _GLYPHS,
            _probe("glyphs", "all"), 0.05, "gain"),
    _versus("near_source_on_digits", "On digits the near source is ahead of the diverse one.",
            _probe("glyphs", "10"), _probe("imagenet", "10"), 0.03),
    _versus("near_source_on_mnist", "On MNIST, too, the near source is ahead of the diverse one.",
            _probe("glyphs", "10", "mnist"), _probe("imagenet", "10", "mnist"), 0.03),
    _versus("diverse_source_on_new_characters", "On printed characters that no source has seen, "
            "the diverse source is ahead of the near one.",
            _probe("imagenet", "1", "new_characters"), _probe("glyphs", "1", "new_characters"),
            0.02),
    _versus("diverse_source_on_omniglot", "On handwritten characters of other alphabets, the "
            "diverse source is ahead of the near one.", _probe("imagenet", "1", "omniglot"),
            _probe("glyphs", "1", "omniglot"), 0.05),
    _versus("nearest_mean_with_two_labels", "With two labels, the nearest class mean beats "
            "logistic regression.", _at("imagenet", "pooled", "nearest mean", "2"),
            _probe("imagenet", "2"), 0.005),
    _versus("regression_with_50_labels", "With 50 labels, logistic regression beats the nearest "
            "class mean.", _probe("imagenet", "50"),
            _at("imagenet", "pooled", "nearest mean", "50"), 0.02),
    _versus("features_beat_pixels", "ImageNet's last layer beats pixels on digits.",
            _probe("imagenet", "10"), _probe("pixels", "10"), 0.02),
    _versus("middle_layer_on_digits", "On digits, far from photographs, the middle of ImageNet's "
            "network beats its last layer.", _probe("imagenet", "10", read="middle map"),
            _probe("imagenet", "10"), 0.03),
    _versus("last_layer_on_clothing", "On photographs of clothing the last layer beats the middle.",
            _probe("imagenet", "10", "clothing"),
            _probe("imagenet", "10", "clothing", "middle map"), 0.02),
    _versus("pixels_on_faces", "For smiles, pixels beat ImageNet's last layer.",
            _probe("pixels", "all", "faces"), _probe("imagenet", "all", "faces"), 0.05),
    _versus("middle_layer_on_faces", "For smiles, the middle of ImageNet's network beats pixels.",
            _probe("imagenet", "all", "faces", "middle map"), _probe("pixels", "all", "faces"),
            0.02),
    _versus("rotations_beat_random", "Features of rotation prediction, learned without labels, "
            "beat those of random weights.", _probe("rotation", "10"), _probe("random", "10"),
            0.02),
    _versus("partial_beats_full", "With ten labels, partial fine-tuning beats full fine-tuning.",
            _at("glyphs", "all", "partial", "10"), _TUNED, 0.005),
    _versus("lp_ft_beats_full", "With ten labels, LP-FT beats full fine-tuning.",
            _at("glyphs", "all", "lp_ft", "10"), _TUNED, 0.005),
    _versus("tuning_on_clothing", "With ten labels on clothing, LP-FT of ImageNet's network beats "
            "its probe.", _at("imagenet", "all", "lp_ft", "10", "clothing"),
            _probe("imagenet", "10", "clothing"), 0.02),
    _versus("same_setting_twice", "Control: the same setting with other draws of labels.", _GLYPHS,
            {**_GLYPHS, "draw": "again"}, 0.0, is_control=True),
    _versus("scratch_needs_no_labels", "False: with one label, training from scratch is ahead.",
            _at("none", "all", "full", "1"), _GLYPHS, 0.05, is_false=True, every_seed=True),
)  # fmt: skip

STUDY = Study(
    name="labels",
    lab="transfer",
    title="Labels",
    exercises=("E7",),
    question=(
        "How many labels does pretraining save, and which source, layer and strategy serve best?"
    ),
    claims=CLAIMS,
    figures=figures,
    captions={
        "accuracy.svg": "Test accuracy by labels per class: mean and range over seeds. Without "
        "another word, a linear probe.",
        "layers.svg": "Test accuracy of a linear probe with 10 labels per class, by source and "
        "layer: a dot per seed.",
    },
    tables=tables,
    terms=TERMS,
    notes=(
        "**Sources.** *ImageNet* is EfficientNet-Lite0 with its published weights. *Printed "
        "characters* and *rotations* are the same small network, pretrained here for every seed on "
        "the same pictures of 45 printed characters: to name them, or to say how they are turned. "
        "*Random weights* are those with which it starts.",
        "**Strategies.** The probe is logistic regression on features. LP-FT trains the head as a "
        "probe, then everything. Partial fine-tuning keeps the first two blocks. Full training "
        "starts from the source with a new head, or from random weights. Learning rates and the "
        "probe's penalty are the same for all data. They were chosen after trials: rates on one "
        "draw of digits, the penalty on up to three draws of five data sets, test pictures "
        "included. Claims and their smallest effects were written after these trials, and the "
        "number of seeds was raised from five after the first verdicts.",
        "**Data.** A seed draws test pictures, labels and initial weights; smaller numbers of "
        "labels are part of larger ones. New characters and Omniglot are episodes of five "
        "classes; a seed is the mean over its episodes. New characters come from the fonts of "
        "the printed ones, so they are near to this source though their classes are new. "
        "Clothing keeps its own validation pictures as test, and faces of one person are never "
        "divided.",
        "**Cost.** Multiply-adds count the passes of networks in training, for a probe those of "
        "its features by the whole network, without the solver of the regression.",
    ),
)
