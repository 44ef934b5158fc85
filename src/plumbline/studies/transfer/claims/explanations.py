"""Claims on attributions of digits: what they follow, and what they miss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.reporting.figures import style
from plumbline.studies.framework.claims import Claim, Difference, Value
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

_METHODS = {
    "integrated_gradients": "integrated gradients", "grad_cam": "Grad-CAM",
    "occlusion": "occlusion",
}  # fmt: skip
_MAPS = {**_METHODS, "random": "random map", "ink": "distance from the mean picture"}
_LAYERS = 4
TERMS: dict[str, Any] = {
    "deletion": "area under the deletion curve",
    "insertion": "area under the insertion curve",
    "tau": "rank correlation of absolute maps",
    "signed": "rank correlation of maps with their signs",
    "share": "share of the absolute attribution on the mark",
    "recall": "recall of the marked digit",
    "slant": "slant of the maps",
    "accuracy": "accuracy",
    "gap": "completeness gap as a share of the change",
    "part": dict.fromkeys(
        ("curves", "agreement", "randomised", "shortcut", "groups", "check"), ""
    ),
    "method": {"": "method", "none": "", **_MAPS},
    "other": {"": "other method", **{name: f"with {text}" for name, text in _MAPS.items()}},
    "layers": "{} layers drawn again",
    "trained": {"": "training", "marked": "trained with the mark", "plain": "trained without"},
    "shown": {"": "test pictures", "marked": "marked pictures", "plain": "plain pictures"},
    "group": {"": "slant", "left": "slanted left", "upright": "upright", "right": "slanted right"},
}  # fmt: skip


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw curves' areas, what randomised weights do, shares on the mark, and example maps."""
    parts = dict(list(rows.groupby("part")))
    return {
        "curves.svg": style.stacked(
            [_dots(parts["curves"], curve, "method") for curve in ("deletion", "insertion")]
        ),
        "randomised.svg": _randomised(parts["randomised"]),
        "shortcut.svg": _dots(parts["shortcut"].dropna(subset="share"), "share", "trained"),
        "examples.svg": _examples(parts["example"]),
    }


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return means over seeds: agreement of methods, recall with a shortcut, groups."""
    wanted = {
        "Agreement of methods": ("agreement", ["method", "other"], ["tau"]),
        "A mark as a shortcut": ("shortcut", ["trained", "shown"], ["recall"]),
        "Groups of slants": ("groups", ["group"], ["accuracy", "slant"]),
        "Completeness": ("check", ["method"], ["gap"]),
    }
    return {
        heading: rows[rows["part"] == part].groupby(at, sort=False)[values].mean().reset_index()
        for heading, (part, at, values) in wanted.items()
    }


def _dots(rows: pd.DataFrame, metric: str, colour: str) -> str:
    """Draw a dot per seed, a line per method, a colour per training."""
    names = [name for name in _MAPS if name in set(rows["method"])]
    drawn, axis = style.lines([_MAPS[name] for name in names], TERMS[metric], step=0.34)
    for number, (value, own) in enumerate(rows.dropna(subset=metric).groupby(colour)):
        hue = style.SERIES[0 if colour == "method" else number]
        label = "" if colour == "method" else TERMS[colour][value].removeprefix("trained ")
        heights = own["method"].map(names.index)
        axis.plot(own[metric], heights, "o", ms=4.5, alpha=0.6, color=hue, label=label)
    if colour != "method":
        axis.legend(loc="lower left", bbox_to_anchor=(0, 0.96), ncols=2)
    return style.svg(drawn)


def _randomised(rows: pd.DataFrame) -> str:
    drawn, (axis,) = style.figure(3.4, margins=style.Margins(bottom=0.95, top=0.15))
    for (name, text), hue in zip(_METHODS.items(), style.SERIES, strict=False):
        means = rows[rows["method"] == name].groupby("layers")[["tau", "signed"]].mean()
        axis.plot([0, *means.index], [1, *means["tau"]], "o-", ms=4, color=hue, label=text)
        axis.plot([0, *means.index], [1, *means["signed"]], "o--", ms=4, lw=1.2, color=hue)
    axis.set(xlabel="layers drawn again, from the output on", ylabel="rank correlation")
    axis.set_xticks(range(_LAYERS + 1))
    drawn.legend(*axis.get_legend_handles_labels(), loc="lower center", ncols=3)
    return style.svg(drawn)


def _examples(rows: pd.DataFrame) -> str:
    """Draw pictures with their maps: orange for the class, blue against it."""
    methods = list(dict.fromkeys(rows["method"]))
    pictures = list(dict.fromkeys(rows["picture"]))
    margins = style.Margins(left=0.04, right=0.04, top=0.34, bottom=0.04)
    drawn, axes = style.figure(
        1.25 * len(pictures), width=1.08 * len(methods), rows=len(pictures), columns=len(methods),
        margins=margins,
    )  # fmt: skip
    for axis, row in zip(axes, rows.to_dict("records"), strict=True):
        values = np.frombuffer(bytes.fromhex(row["map"]), dtype=np.uint8)
        side = round(len(values) ** 0.5)
        is_picture = row["method"] == "picture"
        axis.imshow(
            values.reshape(side, side), cmap="gray" if is_picture else "PuOr_r", vmin=0, vmax=255,
            interpolation="nearest",
        )  # fmt: skip
        axis.set_axis_off()
        if is_picture or row["picture"] == pictures[0]:
            title = row["text"] if is_picture else _TITLES[row["method"]]
            axis.set_title(title, fontsize=8.5, fontweight="normal", loc="center")
    return style.svg(drawn)


_TITLES = {
    "integrated_gradients": "gradients", "grad_cam": "Grad-CAM", "occlusion": "occlusion",
    "randomised weights": "new weights",
}  # fmt: skip


def _curves(method: str, other: str, metric: str, direction: Any) -> Claim:
    first, second = ({"part": "curves", "method": name} for name in (method, other))
    verb = {"deletion": "falls faster when pixels are deleted", "insertion": "rises faster when "
            "pixels are inserted"}[metric]  # fmt: skip
    return Claim(
        f"{method}_{metric}_{other}", "E8",
        f"The probability of the class {verb} in the order of {_METHODS[method]} than in that of "
        f"{'a random map' if other == 'random' else 'the ' + _MAPS[other]}.",
        Difference(metric, first, second), direction, 0.05,
    )  # fmt: skip


def _similar(method: str, metric: str) -> Claim:
    signs = {"tau": "without", "signed": "with"}[metric]
    return Claim(
        f"{method}_randomised_{metric}", "E8",
        f"With all weights drawn again, maps of {_METHODS[method]}, {signs} their signs, are no "
        "longer like those of the trained network.",
        Value(metric, {"part": "randomised", "method": method, "layers": _LAYERS}, target=0.5),
        "less", 0.0,
    )  # fmt: skip


def _mark(method: str) -> Claim:
    first, second = (
        {"part": "shortcut", "method": method, "trained": trained} for trained in
        ("marked", "plain")
    )  # fmt: skip
    return Claim(
        f"{method}_finds_the_mark", "E8",
        f"Maps of {_METHODS[method]} find the mark that a network uses as a shortcut.",
        Difference("share", first, second), "more", 0.1,
    )  # fmt: skip


def _recall(trained: str, shown: str) -> dict[str, str]:
    return {"part": "shortcut", "method": "none", "trained": trained, "shown": shown}


STUDY = Study(
    name="explanations",
    lab="transfer",
    title="Explanations of image classifiers",
    exercises=("E8",),
    question="Do attributions show what a network uses, and more than the picture alone does?",
    claims=(
        *(_curves(name, "random", "deletion", "less") for name in _METHODS),
        *(_curves(name, "random", "insertion", "more") for name in _METHODS),
        *(_curves(name, "ink", "deletion", "less") for name in _METHODS),
        Claim(
            "gradients_agree_with_occlusion", "E8",
            "Integrated gradients and occlusion agree on which pixels matter.",
            Value("tau", {"part": "agreement", "method": "integrated_gradients",
                          "other": "occlusion"}, target=0.5), "more", 0.0,
        ),
        Claim(
            "gradients_agree_with_grad_cam", "E8",
            "Integrated gradients and Grad-CAM agree on which pixels matter.",
            Value("tau", {"part": "agreement", "method": "integrated_gradients",
                          "other": "grad_cam"}, target=0.5), "more", 0.0,
        ),
        *(_similar(name, metric) for metric in ("tau", "signed") for name in _METHODS
          if (name, metric) != ("grad_cam", "signed")),
        *(_mark(name) for name in _METHODS),
        Claim(
            "recall_without_the_mark", "E8",
            "A network trained with a mark on one digit recognises this digit less often without "
            "it than a network trained on plain pictures.",
            Difference("recall", _recall("marked", "plain"), _recall("plain", "plain")), "less",
            0.1,
        ),
        Claim(
            "maps_lean_like_the_strokes", "E8",
            "Maps of digits that slant to the right lean further right than those of digits that "
            "slant to the left.",
            Difference("slant", {"part": "groups", "group": "right"},
                       {"part": "groups", "group": "left"}), "more", 0.1,
        ),
        Claim(
            "gradients_are_complete", "E8",
            "Integrated gradients add up to the change of the output.",
            Value("gap", {"part": "check"}, target=0.05), "less", 0.0, every_seed=True,
        ),
    ),
    figures=figures,
    captions={
        "curves.svg": "Area under the curve of the class's probability, while pixels vanish "
        "(above; less is better) or appear (below; more is better) in the order of a map. A dot is "
        "a seed.",
        "randomised.svg": "Rank correlation of maps with those of the trained network, while "
        "layers are drawn again: absolute maps (lines) and maps with their signs (dashed), means "
        "over seeds. A map that stays similar does not depend on what was learnt.",
        "shortcut.svg": "Share of the absolute attribution on the mark, on marked pictures. A dot "
        "is a seed.",
        "examples.svg": "Pictures, wrong ones first, and their maps: orange pixels speak for the "
        "class that the network decides, violet ones against it; each map has its own scale. New "
        "weights: integrated gradients after all layers were drawn again.",
    },
    tables=tables,
    terms=TERMS,
    notes=(
        "A small convolutional network on the digits of scikit-learn; seeds draw weights and the "
        "split. Maps are of the log-odds of the predicted class. Integrated gradients start from "
        "the mean training picture, occlusion and deletion put it in the place of pixels. Grad-CAM "
        "is that of the last convolution, a map of 8×8.",
        "Two references know nothing of the network: a random order, and the distance of each "
        "pixel from the mean picture. Integrated gradients contain that distance as a factor: "
        "their absolute maps resemble the picture with random weights too. Their signs do not.",
        "The mark is a white square of 3×3 pixels in the corner of every training picture of the "
        "digit 7. A random map would have 3.5 % of its attribution there.",
        "Attributions describe a network. They are no causes, and areas under deletion curves "
        "measure them on pictures that look like none of the training. Explanations of "
        "tables are in the study `classical_vs_deep` of the feed-forward laboratory.",
    ),
)  # fmt: skip
