"""Claims on convolutional networks: sharing, what a shift does, and what pooling is for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from plumbline.reporting.figures import style
from plumbline.studies.framework.claims import Claim, Difference, Value
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

_NETWORKS = {
    "fnn": "feed-forward", "lenet": "LeNet", "vgg": "VGG-like", "resnet": "residual",
    "separable": "separable", "vit": "vision transformer",
}  # fmt: skip
_POOLED = {
    f"{reduction}, {head}": f"{text}, {where}"
    for head, where in (("flat", "flat head"), ("global", "global mean"))
    for reduction, text in (
        ("max", "maximum"), ("average", "average"), ("stride", "stride, no pooling"))
}  # fmt: skip
_TEXT = {
    "characters": "bag of characters", "n-grams": "bag of 1 to 3 characters",
    "convolution": "1-D convolution",
}  # fmt: skip
_CHANGES = {
    "shift": "pixels of shift",
    "rotation": "degrees of rotation",
    "noise": "noise, severity",
}
TERMS: dict[str, Any] = {
    "accuracy": "accuracy",
    "parameters": "parameters",
    "field_error": "receptive field by gradient minus its closed form",
    "likeness": "likeness of the first filters to an edge",
    "part": dict.fromkeys(("accuracy", "change", "sharing", "field", "edges", "text"), ""),
    "data": {"": "data", "digits": "digits", "mnist": "MNIST"},
    "network": {"": "network", **_NETWORKS, **_POOLED, **_TEXT},
    "pixels": {"": "pixels", "in place": "pixels in place", "shuffled": "shuffled pixels"},
    "equal": {"": "equal", "updates": "equal updates", "operations": "equal operations"},
    "change": {"": "change", **{name: name for name in _CHANGES}},
    "amount": "amount {}",
    "weights": {"": "weights", "shared": "convolution", "dense": "dense layer"},
    "layer": {
        "": "layer", "before training": "before training", "after training": "after training",
        "convolution 1": "first layer", "convolution 2": "second layer",
        **{str(at): f"layer {at}" for at in (0, 3, 6, 7, 10, 13)},
    },
}  # fmt: skip


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw accuracy by network, what changes do to it, pooling, filters and feature maps."""
    accuracy, change, picture = (
        rows[rows["part"] == part] for part in ("accuracy", "change", "picture")
    )
    in_place = accuracy[(accuracy["pixels"] == "in place") & accuracy["network"].isin(_NETWORKS)]
    updates = accuracy[(accuracy["data"] == "digits") & (accuracy["equal"] == "updates")]
    shuffled = updates[updates["pixels"] == "shuffled"]["network"]
    own = change[change["data"] == "digits"]
    return {
        "accuracy.svg": style.stacked([
            _dots(of, "equal", str(name)) for name, of in in_place.groupby("data", sort=False)
        ]),
        "changes.svg": style.stacked([
            _curves(own[own["change"] == name], _NETWORKS, text) for name, text in _CHANGES.items()
        ]),
        "pooling.svg": _curves(own[own["change"] == "shift"], _POOLED, _CHANGES["shift"]),
        "shuffled.svg": _dots(updates[updates["network"].isin(shuffled)], "pixels", "digits"),
        "filters_and_maps.svg": _pictures(picture[picture["data"] == "digits"]),
    }  # fmt: skip


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return means by network with its size and cost, receptive fields, and texts."""
    accuracy, field, text = (rows[rows["part"] == part] for part in ("accuracy", "field", "text"))
    costs = accuracy.groupby(["data", "network", "pixels", "equal"], sort=False).agg(
        mean_accuracy=("accuracy", "mean"),
        standard_deviation=("accuracy", "std"),
        parameters=("parameters", lambda of: int(of.iloc[0])),
        epochs=("epochs", lambda of: int(of.iloc[0])),
        giga_multiply_adds=("multiply_adds", lambda of: of.iloc[0] / 1e9),
    )
    fields = field.drop_duplicates("layer")[["network", "layer", "field"]]
    return {
        "Accuracy, size and cost of the training": costs.reset_index(),
        "Receptive fields, pixels": fields.assign(field=fields["field"].astype(int)),
        "Texts": text.groupby("network", sort=False)["accuracy"].agg(["mean", "std"]).reset_index(),
    }


def _dots(rows: pd.DataFrame, column: str, data: str) -> str:
    """Draw the accuracy of each seed as a dot, a line per network, a colour per value."""
    names = list(dict.fromkeys(rows["network"]))
    quantity = f"test accuracy, {TERMS['data'][data]}"
    drawn, axis = style.lines([_NETWORKS[name] for name in names], quantity, step=0.36)
    for number, (value, own) in enumerate(rows.groupby(column, sort=False)):
        heights = [names.index(name) + 0.3 * (number - 0.5) for name in own["network"]]
        axis.plot(
            own["accuracy"], heights, "o", ms=4, alpha=0.6, color=style.SERIES[number],
            label=TERMS[column][value],
        )  # fmt: skip
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return style.svg(drawn)


def _curves(rows: pd.DataFrame, networks: dict[str, str], quantity: str) -> str:
    """Draw the mean accuracy over an amount, and its range over seeds, a line per network."""
    drawn, (axis,) = style.figure(3.6, margins=style.Margins(bottom=1.25, top=0.15))
    for number, (name, label) in enumerate(networks.items()):
        by_amount = rows[rows["network"] == name].groupby("amount")["accuracy"]
        mean, low, high = by_amount.mean(), by_amount.min(), by_amount.max()
        colour = style.SERIES[number]
        axis.plot(mean.index, mean, "o-", ms=4, color=colour, label=label)
        axis.fill_between(mean.index, low, high, color=colour, alpha=0.12, lw=0)
    axis.set(xlabel=quantity, ylabel="test accuracy", ylim=(0, 1))
    axis.set_xticks(sorted(rows["amount"].unique()))
    drawn.legend(*axis.get_legend_handles_labels(), loc="lower center", ncols=2)
    return style.svg(drawn)


def _pictures(rows: pd.DataFrame) -> str:
    """Draw the first filters, and maps of one digit from early to late layers, a row per layer."""
    layers = list(rows["layer"].unique())
    columns = int(rows["number"].max()) + 1
    drawn, axes = style.figure(
        1.15 * len(layers), width=0.95 * columns, rows=len(layers), columns=columns,
        margins=style.Margins(left=0.04, right=0.04, top=0.22, bottom=0.02),
    )  # fmt: skip
    for axis in axes:
        axis.set_axis_off()
    for row, layer in enumerate(layers):
        for number, own in rows[rows["layer"] == layer].groupby("number"):
            pixels = own.pivot_table(index="row", columns="column", values="value").to_numpy()
            axis, most = axes[row * columns + int(number)], abs(pixels).max()
            colours = ("RdBu", -most) if layer == "filters" else ("Greys_r", 0)
            axis.pcolormesh(
                pixels[::-1], edgecolors="face", lw=0.2, cmap=colours[0], vmin=colours[1], vmax=most
            )
            axis.set_aspect("equal")
            if not number:
                axis.set_title(layer, size=8.5, loc="left", pad=2)
    return style.svg(drawn)


def _trained(network: str, **other: str) -> dict[str, Any]:
    place = {"part": "accuracy", "data": "digits", "pixels": "in place", "equal": "updates"}
    return {**place, "network": network, **other}


def _changed(network: str, change: str, amount: float, data: str = "digits") -> dict[str, Any]:
    return {
        "part": "change", "data": data, "network": network, "change": change, "amount": amount,
    }  # fmt: skip


def _more(name: str, statement: str, first: dict[str, Any], second: dict[str, Any],
          relevant: float, direction: Any = "more") -> Claim:  # fmt: skip
    return Claim(name, "E2", statement, Difference("accuracy", first, second), direction, relevant)


def _layer(part: str, **place: str) -> dict[str, Any]:
    return {"part": part, "data": "digits", **place}


_FLAT, _GLOBAL = "max, flat", "max, global"
CLAIMS = (
    _more("cnn_beats_fnn", "With equal parameters and updates a convolutional network (VGG-like) "
          "is more accurate than a feed-forward one.", _trained("vgg"), _trained("fnn"), 0.02),
    _more("lenet_beats_fnn", "With equal parameters and updates LeNet is more accurate than a "
          "feed-forward network.", _trained("lenet"), _trained("fnn"), 0.02),
    _more("cnn_beats_fnn_operations", "With equal parameters and operations a convolutional "
          "network (VGG-like) is more accurate than a feed-forward one.",
          _trained("vgg", equal="operations"), _trained("fnn", equal="operations"), 0.02),
    _more("vit_loses", "With few pictures a vision transformer, which assumes least about them, is "
          "less accurate than a convolutional network.", _trained("vit"), _trained("vgg"), 0.02,
          "less"),
    _more("shuffled_cnn", "Neighbouring pixels matter to a convolution: it loses accuracy when "
          "all pixels are shuffled in the same way.",
          _trained("vgg", pixels="shuffled"), _trained("vgg"), 0.02, "less"),
    _more("shuffled_fnn", "A feed-forward network does not notice shuffled pixels.",
          _trained("fnn", pixels="shuffled"), _trained("fnn"), 0.02, "equal"),
    _more("shuffled_advantage", "With shuffled pixels a convolutional network is less accurate "
          "than a feed-forward one: its advantage is to assume that neighbours belong together.",
          _trained("vgg", pixels="shuffled"), _trained("fnn", pixels="shuffled"), 0.0, "less"),
    _more("shift_convolution", "At a shift of 3 pixels LeNet is more accurate than a feed-forward "
          "network.", _changed("lenet", "shift", 3), _changed("fnn", "shift", 3), 0.1),
    _more("shift_global", "Invariance comes from pooling over all places: at a shift of 3 pixels "
          "the same convolutions are more accurate with a global mean than with a flat head.",
          _changed(_GLOBAL, "shift", 3), _changed(_FLAT, "shift", 3), 0.2),
    _more("shift_alone", "Convolutions alone bring no invariance: at a shift of 3 pixels, without "
          "pooling, they are as inaccurate as a feed-forward network.",
          _changed("stride, flat", "shift", 3), _changed("fnn", "shift", 3), 0.1, "equal"),
    _more("shift_local", "Pooling over 2 × 2 pixels helps against small shifts: at 1 pixel, with a "
          "flat head, maxima are more accurate than strides.",
          _changed(_FLAT, "shift", 1), _changed("stride, flat", "shift", 1), 0.05),
    _more("shift_aliasing", "Strides skip places: with strides of 4 in all and a global mean, a "
          "shift of 4 pixels harms less than one of 2.",
          _changed("stride, global", "shift", 4), _changed("stride, global", "shift", 2), 0.2),
    _more("rotation", "Rotated by 20 degrees, digits are recognised better by a convolutional "
          "network (VGG-like) than by a feed-forward one.",
          _changed("vgg", "rotation", 20), _changed("fnn", "rotation", 20), 0.02),
    _more("noise", "With the strongest noise digits are recognised better by a convolutional "
          "network (VGG-like) than by a feed-forward one.",
          _changed("vgg", "noise", 5), _changed("fnn", "noise", 5), 0.02),
    Claim("sharing", "E2", "Sharing leaves the first layer of LeNet less than a thousandth of the "
          "parameters of a dense layer between the same maps.",
          Difference("parameters", _layer("sharing", layer="convolution 1", weights="shared"),
                     _layer("sharing", layer="convolution 1", weights="dense"), log=True),
          "less", math.log(1000), every_seed=True),
    Claim("receptive_field", "E2", "The receptive field of the last layer is, by gradient, that of "
          "its closed form.", Value("field_error", _layer("field", layer="13")), "equal", 0.0,
          every_seed=True),
    Claim("edges", "E2", "Training makes the first filters of LeNet more like edges.",
          Difference("likeness", _layer("edges", layer="after training"),
                     _layer("edges", layer="before training")), "more", 0.05),
    _more("text_characters", "A 1-D convolution classifies texts better than a bag of characters.",
          {"part": "text", "network": "convolution"}, {"part": "text", "network": "characters"},
          0.02),
    _more("text_ngrams", "A 1-D convolution classifies texts better than a bag of up to 3 "
          "characters.",
          {"part": "text", "network": "convolution"}, {"part": "text", "network": "n-grams"}, 0.02),
    _more("mnist_cnn_beats_fnn", "On MNIST, with equal parameters and updates, a convolutional "
          "network (VGG-like) is more accurate than a feed-forward one.",
          _trained("vgg", data="mnist"), _trained("fnn", data="mnist"), 0.02),
    _more("mnist_shift_global", "On MNIST, at a shift of 3 pixels, convolutions are more accurate "
          "with a global mean than with a flat head.",
          _changed(_GLOBAL, "shift", 3, "mnist"), _changed(_FLAT, "shift", 3, "mnist"), 0.2),
)  # fmt: skip

STUDY = Study(
    name="convolutions",
    lab="transfer",
    title="Convolutional networks",
    exercises=("E2",),
    question="What do shared filters and pooling bring, and what do they assume about images?",
    claims=CLAIMS,
    figures=figures,
    captions={
        "accuracy.svg": "Accuracy on test pictures with equal parameters, after equal updates "
        "and after equal operations: a dot per seed.",
        "changes.svg": "Accuracy on shifted, rotated and noisy test digits; training digits stand "
        "upright in the middle. Mean and range over seeds.",
        "pooling.svg": "The same three convolutions with another reduction and another head, on "
        "shifted test digits. Mean and range over seeds. Strides skip places, so that only shifts "
        "by 4 pixels leave the maps as they are.",
        "shuffled.svg": "Accuracy with pixels in place, and with all pixels shuffled in the same "
        "way, of each seed.",
        "filters_and_maps.svg": "First filters of LeNet (blue is positive), and maps of one digit "
        "in the VGG-like network, from the first convolution to the last: 4 channels each.",
    },
    tables=tables,
    terms=TERMS,
    notes=(
        "Digits of 8 × 8 pixels stand in the middle of a black canvas of 16 × 16. Seeds draw "
        "training rows, initial weights and the order of rows. Test rows are the same for all. "
        "Shifts are to four sides and rotations to both, averaged.",
        "Widths of each network are scaled together to the same number of parameters, as close as "
        "whole widths allow. Learning rate and batch size are the same for all: a network may gain "
        "more than another from tuning. All but the transformer have batch norm. "
        "Operations are multiply-adds as torch counts them, three times those of predictions; "
        "the number of epochs is rounded. The stage logs seconds, which are no result here.",
        "Receptive fields are measured with all weights 1 and linear layers alone. The likeness to "
        "an edge is the cosine between a filter and the closest of 16 straight edges; for random "
        "filters of 5 × 5 it is 0.31. At equal parameters LeNet has few first filters.",
        "Texts are the first 120 characters of docstrings, which do not name a package; a model "
        "predicts their package.",
        "MNIST takes part where `convolutions.mnist` names the folder of its test pictures.",
    ),
)
