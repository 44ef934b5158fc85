"""Claims on compressed networks: what pruning, int8 and ONNX keep, and whom they harm."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from plumbline.reporting.figures import style
from plumbline.studies.framework.claims import Claim, Difference, Value
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

_NETWORKS = {
    "": "network", "efficientnet_lite0": "EfficientNet-Lite0", "vgg": "small network (VGG-like)",
}  # fmt: skip
_COMPRESSIONS = {
    "": "compression", "none": "original", "torch.export": "torch.export", "onnx": "ONNX",
    **{f"pruned {n}%": f"pruned by {n} %" for n in (20, 30, 50)},
    "pruned 30% by layer": "pruned by 30 % of each layer",
    "weights per tensor, all": "rounded per tensor, all weights",
    "weights per tensor, depthwise": "rounded per tensor, depthwise",
    "weights per tensor, others": "rounded per tensor, others",
    "weights per channel, all": "rounded per channel, all weights",
    "static per tensor": "int8 per tensor", "static per channel": "int8 per channel",
    "dynamic": "int8, dynamic",
}  # fmt: skip
TERMS: dict[str, Any] = {
    "accuracy": "accuracy",
    "gap": "largest group gap in accuracy",
    "agreement": "agreement with the original",
    "bytes": "bytes of the file",
    "difference": "largest difference of outputs",
    "network": _NETWORKS,
    "compression": _COMPRESSIONS,
    "head": {"": "head", "kept": "head kept", "retrained": "head retrained"},
}


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw accuracy, agreement and largest group gap of each compression, by network."""
    networks = list(dict.fromkeys(rows["network"]))
    return {
        f"{metric}.svg": style.stacked([_dots(rows, name, metric) for name in networks])
        for metric in ("accuracy", "agreement", "gap")
    }


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return means over seeds, with size and share of the weights that are left."""
    found = rows.groupby(["network", "compression", "head"], sort=False).agg(
        accuracy=("accuracy", "mean"),
        standard_deviation=("accuracy", "std"),
        gap=("gap", "mean"),
        agreement=("agreement", "mean"),
        kilobytes=("bytes", lambda of: of.mean() / 1000),
        share_of_weights=("left", "mean"),
        difference=("difference", "max"),
    )
    return {"Means over seeds": found.reset_index()}


def _dots(rows: pd.DataFrame, network: str, metric: str) -> str:
    """Draw a dot per seed and head, a line per compression."""
    rows = rows[rows["network"] == network]
    names = list(dict.fromkeys(rows["compression"]))
    drawn, axis = style.lines([_COMPRESSIONS[name] for name in names], TERMS[metric])
    for number, (head, own) in enumerate(rows.groupby("head")):
        axis.plot(
            own[metric], [names.index(name) + 0.2 * number for name in own["compression"]], "o",
            ms=4, alpha=0.6, color=style.SERIES[number], label=TERMS["head"][head],
        )  # fmt: skip
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    drawn.text(0.01, 0.985, _NETWORKS[network], va="top", weight="bold")
    return style.svg(drawn)


def _at(
    compression: str, network: str = "efficientnet_lite0", head: str = "kept"
) -> dict[str, Any]:
    return {"network": network, "compression": compression, "head": head}


def _pair(name: str, statement: str, metric: str, first: dict[str, Any], second: dict[str, Any],
          direction: Any, relevant: float) -> Claim:  # fmt: skip
    return Claim(name, "E8", statement, Difference(metric, first, second), direction, relevant)


_TENSOR, _CHANNEL, _PRUNED = "static per tensor", "static per channel", "pruned 30%"
CLAIMS = (
    *(Claim(f"{name}_{network}", "E8", f"{what}: {_NETWORKS[network]}.",
            Value("difference", _at(compression, network)), "equal", most, every_seed=True)
      for network in ("efficientnet_lite0", "vgg")
      for name, what, compression, most in (
          ("export", "torch.export computes the same bits", "torch.export", 0.0),
          ("onnx", "ONNX computes the same to a thousandth of the largest output", "onnx", 1e-3))),
    _pair("int8_breaks", "int8 with a step per tensor takes 0.1 of the accuracy of "
          "EfficientNet-Lite0 and more.", "accuracy", _at(_TENSOR), _at("none"), "less", 0.1),
    _pair("int8_repaired", "int8 with a step per channel keeps the accuracy of EfficientNet-Lite0.",
          "accuracy", _at(_CHANNEL), _at("none"), "equal", 0.04),
    _pair("cause_depthwise", "The cause is the weights of depthwise layers: rounding them per "
          "tensor costs more agreement than rounding all other weights.", "agreement",
          _at("weights per tensor, depthwise"), _at("weights per tensor, others"), "less", 0.2),
    _pair("cause_weights", "Ranges of maps are not the cause: rounding the weights alone per "
          "tensor costs as much accuracy as int8.", "accuracy", _at("weights per tensor, all"),
          _at(_TENSOR), "equal", 0.1),
    _pair("int8_small", "A network without depthwise layers keeps its accuracy with a step per "
          "tensor.", "accuracy", _at(_TENSOR, "vgg"), _at("none", "vgg"), "equal", 0.02),
    _pair("prune_by_layer", "Layers bear pruning differently: 30 % of each layer of "
          "EfficientNet-Lite0 harm more than 30 % of all its weights.", "accuracy",
          _at("pruned 30% by layer"), _at(_PRUNED), "less", 0.1),
    _pair("prune_harms", "Pruning 30 % of the weights of EfficientNet-Lite0 takes 0.1 of the "
          "accuracy and more if nothing is retrained.", "accuracy", _at(_PRUNED), _at("none"),
          "less", 0.1),
    _pair("prune_retrained", "A retrained head brings back 0.1 of it and more.", "accuracy",
          _at(_PRUNED, head="retrained"), _at(_PRUNED), "more", 0.1),
    _pair("prune_small", "The small network keeps its accuracy with half of its weights.",
          "accuracy", _at("pruned 50%", "vgg"), _at("none", "vgg"), "equal", 0.02),
    _pair("gap_pruned", "Pruning harms some groups more than others: the largest gap grows.", "gap",
          _at(_PRUNED), _at("none"), "more", 0.05),
    _pair("gap_int8", "int8 with a step per channel leaves the largest gap between groups as it "
          "is.", "gap", _at(_CHANNEL), _at("none"), "equal", 0.05),
    Claim("size", "E8", "int8 takes less than a third of the bytes.",
          Difference("bytes", _at(_CHANNEL), _at("onnx"), log=True), "less", math.log(3),
          every_seed=True),
)  # fmt: skip

STUDY = Study(
    name="compression",
    lab="transfer",
    title="Compressed networks",
    exercises=("E8",),
    question="Do pruning, int8 and ONNX change what a network says, and for which groups?",
    claims=CLAIMS,
    figures=figures,
    captions={
        "accuracy.svg": "Accuracy on test digits by compression: a dot per seed.",
        "agreement.svg": "Share of test digits with the class that the original network says.",
        "gap.svg": "Largest difference of the accuracies of two groups of test digits, by slant or "
        "by thickness of the stroke.",
    },
    tables=tables,
    terms=TERMS,
    notes=(
        "A network is a body, which is compressed, and a linear head, which stays in float32. "
        "EfficientNet-Lite0 has its ImageNet weights and sees digits of 96 × 96 pixels; the small "
        "network is trained on digits of 16 × 16. Seeds draw the training rows of the heads, and "
        "of the small network. Body and test rows of EfficientNet-Lite0 are the same for all "
        "seeds: intervals do not cover other ones. Groups are thirds by slant and by thickness.",
        "Pruning sets the smallest weights of all convolutions together, or of each one, to 0; "
        "the file becomes no smaller by itself. Rounding changes weights alone. int8 has 8 bits "
        "for weights and maps, whose ranges come from training digits (least and largest values). "
        "Dynamic: ranges come from each batch, weights have a step per tensor.",
        "Why a step per tensor breaks EfficientNet-Lite0: with batch norm folded in, the largest "
        "weights of the channels of a depthwise layer differ by a factor of ten and more, and one "
        "step for all of them rounds the smaller channels away.",
        "Processors have different instructions for int8, of which some saturate. Static int8 is "
        "computed in float32 here, so that rows do not depend on them; dynamic int8 does. "
        "onnxruntime has no portable kernels: on another processor a prediction at the edge "
        "between two classes may change, and with it the rows. `benchmarks/compression_speed.py` "
        "measures the speed.",
    ),
)
