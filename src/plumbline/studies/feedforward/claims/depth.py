"""What very deep networks suffer from, and what helps: claims, figures and tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from plumbline.studies.framework.claims import Claim, Difference, Slope, Value
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

_DEEP, _DEEPER = 20, 56
_OF_TWO = math.log10(2)


def _start(activation: str, init: str) -> dict[str, Any]:
    return {"part": "start", "depth": _DEEP, "activation": activation, "init": init}


def _degradation(depth: int, block: str) -> dict[str, Any]:
    return {"part": "degradation", "depth": depth, "block": block}


def _remedy(norm: str = "none", block: str = "plain") -> dict[str, Any]:
    return {"part": "remedies", "activation": "sigmoid", "norm": norm, "block": block}


def _clipped(init: str, clip: str) -> dict[str, Any]:
    return {"part": "clipping", "init": init, "clip": clip}


def _memory_over_depth(checkpointing: str, exponent: float) -> Slope:
    at = {"part": "checkpoints", "checkpointing": checkpointing}
    return Slope("peak_bytes", "depth", at, log=True, log_over=True, target=exponent)


# 0.05 orders of magnitude are 12 %.
_KEPT = {
    "he": ("He's weights keep the gradient of ReLU", _start("relu", "he")),
    "xavier_tanh": ("Xavier's weights keep the gradient of tanh", _start("tanh", "xavier")),
    "xavier_sigmoid": (
        "Xavier's weights keep the gradient of sigmoid",
        _start("sigmoid", "xavier"),
    ),
    "relu_alone": (
        "ReLU keeps the gradient with torch's default weights",
        _start("relu", "default"),
    ),
    "batch_norm_slope": ("Batch norm keeps the gradient of sigmoid", _remedy("batch")),
    "layer_norm_slope": ("Layer norm keeps the gradient of sigmoid", _remedy("layer")),
    "residual_slope": ("Residual connections keep that of sigmoid", _remedy(block="residual")),
}
_REMEDIES = {
    "relu_he": ("ReLU with He's weights", {"part": "remedies", "activation": "relu"}),
    "batch_norm": ("Batch norm", _remedy("batch")),
    "layer_norm": ("Layer norm", _remedy("layer")),
    "group_norm": ("Group norm", _remedy("group")),
    "residual": ("Residual connections", _remedy(block="residual")),
    "highway": ("Highway gates", _remedy(block="highway")),
}
_CLAIMS = (
    Claim("sigmoid_theory", "E14",
          "In 20 sigmoid layers with torch's default weights the gradient falls as theory says: a "
          "slope within 20 %.",
          Value("excess", _start("sigmoid", "default")), "equal", 0.2),
    Claim("halves", "E14",
          "Factors of one half multiply (0.5^10 ≈ 0.001): ReLU with half of He's weights.",
          Value("slope", _start("relu", "small"), -_OF_TWO), "equal", 0.03),
    Claim("doubles", "E14", "Factors of two multiply (2^10 = 1024): ReLU with twice He's weights.",
          Value("slope", _start("relu", "large"), _OF_TWO), "equal", 0.03),
    *(Claim(name, "E14", f"{what} within 12 % per layer.", Value("slope", at), "equal", 0.05)
      for name, (what, at) in _KEPT.items()),
    *(Claim(f"large_{name}", "E14",
            f"Weights that are too large make the gradient grow towards the input: {name}.",
            Value("slope", _start(name, "large")), "more", 0.0)
      for name in ("tanh", "sigmoid")),
    Claim("plain_degrades", "E4",
          "A plain network of 56 layers has a higher training error than one of 20 (published for "
          "CIFAR-10: +3.26 points).",
          Difference("error", _degradation(_DEEPER, "plain"), _degradation(_DEEP, "plain")),
          "more", 1.0),
    Claim("residual_gains", "E4",
          "A residual network of 56 layers has a lower training error than one of 20 (published: "
          "−0.67 points).",
          Difference("error", _degradation(_DEEPER, "residual"), _degradation(_DEEP, "residual")),
          "less", 0.0),
    *(Claim(name, "E4", f"{what}: a lower training error than 20 plain sigmoid layers.",
            Difference("error", at, _remedy()), "less", 5.0)
      for name, (what, at) in _REMEDIES.items()),
    *(Claim(f"clip_{clip}", "E4", f"Clipping by {clip} keeps the loss finite from large weights.",
            Difference("diverged", _clipped("large", clip), _clipped("large", "none")), "less", 0.5)
      for clip in ("norm", "value")),
    Claim("clip_helps", "E4", "At a high learning rate clipping by norm lowers the training error.",
          Difference("error", _clipped("he", "norm"), _clipped("he", "none")), "less", 1.0),
    Claim("clip_printed", "E4",
          "The chapter's formula, threshold · g / ‖g‖², trains as clipping by norm does.",
          Difference("error", _clipped("he", "printed"), _clipped("he", "norm")), "equal", 1.0),
    *(Claim(name.replace("-", "_"), "E4", f"At a high learning rate {name} lowers the error.",
            Difference("error", {"part": "schedules", "schedule": name},
                       {"part": "schedules", "schedule": "constant"}), "less", 1.0)
      for name in ("warm-up", "cosine")),
    *(Claim(name, "E4", f"{name} reaches a lower error than SGD, each at its best rate.",
            Difference("error", {"part": "optimizers", "optimizer": name},
                       {"part": "optimizers", "optimizer": "sgd"}), "less", 1.0)
      for name in ("momentum", "rmsprop", "adam")),
    Claim("memory", "E4", "What a backward pass keeps grows in proportion to the depth.",
          _memory_over_depth("off", 1.0), "equal", 0.15),
    Claim("checkpoint_memory", "E4", "With √L checkpoints it grows with the root of the depth.",
          _memory_over_depth("on", 0.5), "equal", 0.15),
    Claim("checkpoint_time", "E4", "Checkpoints cost at most one more forward pass.",
          Difference("layer_runs", {"part": "checkpoints", "depth": 64, "checkpointing": "on"},
                     {"part": "checkpoints", "depth": 64, "checkpointing": "off"}, log=True),
          "equal", math.log(2)),
)  # fmt: skip


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw slopes over depth with theory, training errors, and memory over depth."""
    from plumbline.reporting.figures import style

    trials = {
        "degradation": (["degradation"], ["depth", "block"]),
        "solutions": (["remedies"], ["activation", "norm", "block"]),
        "training": (["schedules", "optimizers"], ["optimizer", "schedule", "lr"]),
    }
    slopes, memory = style.styled(_slopes), style.styled(_memory)
    return {
        "gradients.svg": slopes(rows[rows["part"] == "start"]),
        **{f"{name}.svg": style.styled(_errors)(rows[rows["part"].isin(parts)], settings)
           for name, (parts, settings) in trials.items()},
        "memory.svg": memory(rows[rows["part"] == "checkpoints"]),
    }  # fmt: skip


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return slopes with theory and verdict at the start, and what training reached."""
    start = rows[(rows["part"] == "start") & (rows["depth"] == _DEEP)]
    trained = rows[~rows["part"].isin(["start", "checkpoints"])]
    settings = ["part", "depth", "activation", "init", "norm", "block", "optimizer", "lr",
                "schedule", "clip"]  # fmt: skip
    values = ["slope", "loss", "error", "diverged"]
    reached = trained.groupby(settings, sort=False)
    return {
        "Gradients of 20 layers at the start": _with_verdict(
            start.groupby(["activation", "init"], sort=False), ["slope", "theory"]
        ),
        "After training": _with_verdict(reached, values),
    }


def _with_verdict(groups: Any, values: list[str]) -> pd.DataFrame:
    """Return means over seeds, and the verdict of most seeds on the gradients."""
    found: pd.DataFrame = groups[values].mean()
    return found.assign(verdict=groups["verdict"].agg(lambda v: v.mode()[0])).reset_index()


def _slopes(rows: pd.DataFrame) -> str:
    from plumbline.reporting.figures import style

    drawn, axes = style.figure(7.2, rows=3, margins=style.Margins(left=0.7, top=0.5))
    for axis, (activation, own) in zip(axes, rows.groupby("activation", sort=False), strict=True):
        for (init, found), colour in zip(
            own.groupby("init", sort=False), style.SERIES, strict=False
        ):
            by_depth = found.groupby("depth")
            theory, slope = by_depth["theory"].mean(), by_depth["slope"]
            axis.plot(theory.index, theory, "-", lw=1, color=colour)
            axis.errorbar(theory.index, slope.mean(), yerr=slope.std(), fmt="o", ms=3.5, lw=1,
                          color=colour, label=init)  # fmt: skip
        axis.axhline(0, color=style.SOFT, lw=0.8, ls=(0, (4, 3)))
        axis.set(xscale="log", ylabel="orders per layer")
        _mark(axis, own["depth"])
        axis.set_title(str(activation))
    axes[0].legend(loc="lower left", bbox_to_anchor=(0.15, 1), ncols=5, columnspacing=1,
                   handletextpad=0)  # fmt: skip
    axes[-1].set_xlabel("hidden layers; lines: theory, bars: standard deviation over seeds")
    return style.svg(drawn)


def _errors(rows: pd.DataFrame, settings: list[str]) -> str:
    from plumbline.reporting.figures import style

    groups = list(rows.groupby(settings, sort=False)["error"])
    labels = [", ".join(map(str, key)) for key, _ in groups]
    drawn, axis = style.lines(labels, "error")
    for at, (_, errors) in enumerate(groups):
        axis.plot(errors, [at] * len(errors), "o", ms=3.5, alpha=0.5, color=style.SERIES[0])
        axis.plot([errors.mean()], [at], "|", ms=14, mew=2, color=style.SERIES[1])
    axis.set_xlabel("training error, percent; bar: mean")
    return style.svg(drawn)


def _memory(rows: pd.DataFrame) -> str:
    from plumbline.reporting.figures import style

    drawn, (axis,) = style.figure(2.9, margins=style.Margins(left=0.7))
    for (name, own), colour in zip(rows.groupby("checkpointing"), style.SERIES, strict=False):
        kept = own.groupby("depth")["peak_bytes"].mean() / 1024
        axis.plot(kept.index, kept, "o-", ms=4, color=colour, label=f"checkpointing {name}")
    axis.set(xscale="log", yscale="log", xlabel="hidden layers", ylabel="KiB kept at most")
    axis.yaxis.set_major_formatter("{x:g}")
    _mark(axis, rows["depth"])
    axis.legend(loc="upper left")
    return style.svg(drawn)


def _mark(axis: Any, depths: pd.Series) -> None:
    marks = sorted(depths.unique())
    axis.set_xticks(marks, [str(depth) for depth in marks])
    axis.minorticks_off()


STUDY = Study(
    name="depth",
    lab="feedforward",
    title="Very deep networks: gradients, degradation, solutions",
    exercises=("E4", "E14"),
    question="How do gradients change over many layers, what does that do to training, and which "
    "solution helps?",
    claims=_CLAIMS,
    figures=figures,
    tables=tables,
    notes=(
        "Networks have layers of one width and learn MNIST-1D; errors are on the training data "
        "after few epochs, and longer training may show other differences. Intervals are over "
        "starts and orders of rows, on one sample of the data.",
        "*Slope* is the change of the gradient by the pre-activations of a layer, in powers of "
        "ten per layer towards the input: −0.301 is one half. *Theory* is that of wide random "
        "networks (Schoenholz et al. 2017): √(n · Var(w) · E[φ'(z)²]) per layer, with the "
        "variance of z from layer to layer. Verdicts are those of `trainer.diagnostics`, which "
        "sees gradients by the weights. With ReLU and weights of the wrong size these are equal"
        " in all layers, because the signal changes on its way forward as the gradient does on "
        "its way back: there the signal decides.",
        "Plain and residual networks have the same layers, with batch norm. Blocks hold one "
        "layer, and nothing interrupts the identity. The published numbers are test errors of "
        "convolutions with blocks of two layers: their signs compare, their sizes do not.",
        "Layer and group norm subtract, for each input, a mean over units. All inputs of a deep"
        " sigmoid network have nearly the same activations; batch norm takes off what they "
        "share.",
        "The chapter prints clipping as threshold · g / ‖g‖². That has length threshold / ‖g‖: "
        "the longer the gradient, the shorter the update. Clipping by norm divides by ‖g‖.",
        "The learning rate and the number of epochs of the degradation, and the learning rate of "
        "the clipping claim, were chosen after trials with fewer seeds: at a rate of a quarter of "
        "it, clipping did not help. The signs of the degradation were the same at both settings "
        "tried; its plain network of 56 layers hardly learns at either.",
        "The learning rate of each optimiser is the best of a coarse grid for other seeds than "
        "those shown. Memory is what autograd keeps for the backward pass, without weights; "
        "time is the number of layers that run forwards. Both are counts, the same in every "
        "seed.",
    ),
)
