"""What very deep networks suffer from, and what helps: claims, figures and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from plumbline.reporting.figures import style
from plumbline.reporting.terms import side
from plumbline.studies.feedforward.claims import _figures
from plumbline.studies.framework.claims import Claim, Difference, Slope, Value
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

_DEEP, _DEEPER = 20, 56
_OF_TWO = math.log10(2)


TERMS: Mapping[str, Any] = {
    "slope": "change of the gradient per layer, powers of ten",
    "theory": "the same from theory",
    "excess": "change of the gradient per layer, over that of theory, minus 1",
    "loss": "training loss, nats",
    "error": "training error, percent",
    "diverged": "share of runs with an infinite loss",
    "peak_bytes": "memory for the backward pass",
    "layer_runs": "computations of a layer",
    "verdict": "verdict on the gradients",
    "part": {
        "start": "before training", "degradation": "", "solutions": "",
        "clipping": "", "schedules": "", "optimizers": "", "checkpoints": "",
    },
    "depth": "{} hidden layers",
    "activation": {"": "activation", "sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU"},
    "init": {
        "": "initial weights", "default": "torch's weights", "xavier": "Xavier's weights",
        "he": "He's weights", "small": "half of He's weights", "large": "twice He's weights",
    },
    "norm": {
        "": "normalisation", "none": "no norm", "batch": "batch norm",
        "layer": "layer norm", "group": "group norm",
    },
    "block": {
        "": "connections", "plain": "plain", "residual": "residual", "highway": "highway",
    },
    "optimizer": {
        "": "optimiser", "sgd": "SGD", "momentum": "Momentum", "rmsprop": "RMSProp",
        "adam": "Adam", "adamw": "AdamW",
    },
    "schedule": {
        "": "schedule", "constant": "constant rate", "warm-up": "warm-up",
        "step": "steps", "exponential": "exponential decay", "cosine": "cosine decay",
    },
    "clip": {
        "": "clipping", "none": "no clipping", "norm": "clipping by norm",
        "value": "clipping by value", "printed": "the chapter's formula",
    },
    "lr": "rate {}",
    "checkpointing": {"on": "with checkpoints", "off": "without checkpoints"},
}  # fmt: skip


def _start(activation: str, init: str) -> dict[str, Any]:
    return {"part": "start", "depth": _DEEP, "activation": activation, "init": init}


def _degradation(depth: int, block: str) -> dict[str, Any]:
    return {"part": "degradation", "depth": depth, "block": block}


def _solution(norm: str = "none", block: str = "plain", *, activation: str = "sigmoid",
              init: str = "default") -> dict[str, Any]:  # fmt: skip
    shape = {"norm": norm, "block": block, "activation": activation, "init": init}
    return {"part": "solutions", "depth": _DEEP, **shape}


def _clipped(init: str, clip: str) -> dict[str, Any]:
    return {"part": "clipping", "init": init, "clip": clip}


def _memory_over_depth(checkpointing: str, exponent: float) -> Slope:
    at = {"part": "checkpoints", "checkpointing": checkpointing}
    return Slope("peak_bytes", "depth", at, log=True, log_over=True, target=exponent)


_STARTS = {"he": ("relu", "he"), "xavier_tanh": ("tanh", "xavier"),
           "xavier_sigmoid": ("sigmoid", "xavier"), "relu_alone": ("relu", "default")}  # fmt: skip
_SOLUTIONS = {
    "relu_he": ("ReLU and He's weights", _solution(activation="relu", init="he")),
    "batch_norm": ("batch norm", _solution("batch")),
    "layer_norm": ("layer norm", _solution("layer")),
    "group_norm": ("group norm", _solution("group")),
    "residual": ("residual connections", _solution(block="residual")),
    "highway": ("highway gates", _solution(block="highway")),
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
    # 0.05 powers of ten are 12 %.
    *(Claim(name, "E14",
            f"With {TERMS['init'][init]} the gradient of {TERMS['activation'][of]} networks "
            "changes by at most 12 % per layer.",
            Value("slope", _start(of, init)), "equal", 0.05)
      for name, (of, init) in _STARTS.items()),
    *(Claim(f"{name}_slope", "E14",
            f"With {_SOLUTIONS[name][0]} the gradient of trained sigmoid networks changes by at "
            "most 12 % per layer.",
            Value("slope", _SOLUTIONS[name][1]), "equal", 0.05)
      for name in ("batch_norm", "layer_norm", "residual")),
    *(Claim(f"large_{name}", "E14",
            f"In {name} networks too large weights make the gradient grow towards the input.",
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
    *(Claim(name, "E4",
            f"With {what} the training error is lower than that of 20 plain sigmoid layers.",
            Difference("error", at, _solution()), "less", 5.0)
      for name, (what, at) in _SOLUTIONS.items()),
    *(Claim(f"clip_{clip}", "E4",
            f"With too large weights, clipping by {clip} keeps the loss finite.",
            Difference("diverged", _clipped("large", clip), _clipped("large", "none")), "less", 0.5)
      for clip in ("norm", "value")),
    Claim("clip_helps", "E4", "At a high learning rate clipping by norm lowers the training error.",
          Difference("error", _clipped("he", "norm"), _clipped("he", "none")), "less", 1.0),
    Claim("clip_printed", "E4",
          "The chapter's formula, threshold · g / ‖g‖², trains as clipping by norm does.",
          Difference("error", _clipped("he", "printed"), _clipped("he", "norm")), "equal", 1.0),
    *(Claim(name.replace("-", "_"), "E4",
            f"At a high learning rate {TERMS['schedule'][name]} lowers the training error.",
            Difference("error", {"part": "schedules", "schedule": name},
                       {"part": "schedules", "schedule": "constant"}), "less", 1.0)
      for name in ("warm-up", "cosine")),
    *(Claim(name, "E4",
            f"{TERMS['optimizer'][name]} reaches a lower training error than SGD, each at its best "
            "learning rate.",
            Difference("error", {"part": "optimizers", "optimizer": name},
                       {"part": "optimizers", "optimizer": "sgd"}), "less", 1.0)
      for name in ("momentum", "rmsprop", "adam")),
    Claim("memory", "E4", "The memory for a backward pass grows in proportion to the depth.",
          _memory_over_depth("off", 1.0), "equal", 0.15),
    Claim("checkpoint_memory", "E4",
          "With √L checkpoints of L layers this memory grows with the square root of the depth.",
          _memory_over_depth("on", 0.5), "equal", 0.15),
    Claim("checkpoint_time", "E4", "Checkpoints cost at most one more forward pass.",
          Difference("layer_runs", {"part": "checkpoints", "depth": 64, "checkpointing": "on"},
                     {"part": "checkpoints", "depth": 64, "checkpointing": "off"}, log=True),
          "equal", math.log(2)),
)  # fmt: skip


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw slopes over depth with theory, training errors, and memory over depth."""
    trials = {
        "degradation": (["degradation"], ["depth", "block"]),
        "solutions": (["solutions"], ["activation", "norm", "block"]),
        "training": (["schedules", "optimizers"], ["optimizer", "schedule", "lr"]),
    }
    errors = {
        f"{name}.svg": _errors(rows[rows["part"].isin(parts)], settings)
        for name, (parts, settings) in trials.items()
    }
    slopes, memory = _slopes(rows[rows["part"] == "start"]), rows[rows["part"] == "checkpoints"]
    return {"gradients.svg": slopes, **errors, "memory.svg": _memory(memory)}


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
        "After training": _with_verdict(reached, values).rename(columns={"part": "experiment"}),
    }


def _with_verdict(groups: Any, values: list[str]) -> pd.DataFrame:
    """Return means over seeds, and the verdict of most seeds on the gradients."""
    found: pd.DataFrame = groups[values].mean()
    return found.assign(verdict=groups["verdict"].agg(lambda v: v.mode()[0])).reset_index()


def _slopes(rows: pd.DataFrame) -> str:
    drawn, axes = style.figure(8.4, rows=3, margins=style.Margins(left=0.7, top=0.95))
    for axis, (activation, own) in zip(axes, rows.groupby("activation", sort=False), strict=True):
        for (init, found), colour in zip(
            own.groupby("init", sort=False), style.SERIES, strict=False
        ):
            by_depth = found.groupby("depth")
            theory, slope = by_depth["theory"].mean(), by_depth["slope"]
            axis.plot(theory.index, theory, "-", lw=1, color=colour)
            axis.errorbar(theory.index, slope.mean(), yerr=slope.std(), fmt="o", ms=3.5, lw=1,
                          color=colour, label=TERMS["init"][init])  # fmt: skip
        axis.axhline(0, color=style.SOFT, lw=0.8, ls=(0, (4, 3)))
        axis.set(ylabel="powers of ten per layer", title=TERMS["activation"][activation])
        _figures.ticks(axis, own["depth"])
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1.14), ncols=2, columnspacing=1,
                   handletextpad=0)  # fmt: skip
    axes[-1].set_xlabel("hidden layers")
    return style.svg(drawn)


def _errors(rows: pd.DataFrame, settings: list[str]) -> str:
    by_label = {
        side(TERMS, dict(zip(settings, key, strict=True))): list(errors)
        for key, errors in rows.groupby(settings, sort=False)["error"]
    }
    return _figures.dots(by_label, "training error, percent")


def _memory(rows: pd.DataFrame) -> str:
    drawn, (axis,) = style.figure(2.9, margins=style.Margins(left=0.7))
    for (name, own), colour in zip(rows.groupby("checkpointing"), style.SERIES, strict=False):
        kept = own.groupby("depth")["peak_bytes"].mean() / 1024
        axis.plot(kept.index, kept, "o-", ms=4, color=colour, label=TERMS["checkpointing"][name])
    axis.set(yscale="log", xlabel="hidden layers", ylabel="KiB kept at most")
    _figures.ticks(axis, rows["depth"])
    axis.legend(loc="upper left")
    return style.svg(drawn)


STUDY = Study(
    name="depth",
    lab="feedforward",
    title="Very deep networks: gradients, degradation, solutions",
    exercises=("E4", "E14"),
    question="How do gradients change over many layers, what does that do to training, and which "
    "solution helps?",
    claims=_CLAIMS,
    figures=figures,
    captions={
        "gradients.svg": "Change of the gradient per layer before training, as a power of ten: "
        "below 0 it vanishes towards the input, above 0 it explodes. Lines are theory, points and "
        "bars means and standard deviations over seeds.",
        "degradation.svg": "Training error of networks without and with residual connections, by "
        "depth: a dot per seed, and the mean as a bar.",
        "solutions.svg": "Training error of 20 layers with each solution: a dot per seed, and the "
        "mean as a bar.",
        "training.svg": "Training error by learning-rate schedule and by optimiser: a dot per "
        "seed, and the mean as a bar.",
        "memory.svg": "Memory that is kept for the backward pass, by depth, with and without "
        "gradient checkpoints.",
    },
    tables=tables,
    terms=TERMS,
    notes=(
        "Networks have layers of one width and learn MNIST-1D; errors are on the training data "
        "after few epochs, and longer training may show other differences. Intervals are over "
        "initial weights and orders of rows, on one sample of the data.",
        "The *change of the gradient* is that of its norm by the pre-activations of a layer, in "
        "powers of ten per layer towards the input: −0.301 is one half. *Theory* is that of wide "
        "random networks (Schoenholz et al. 2017): √(n · Var(w) · E[φ'(z)²]) per layer, with the "
        "variance of z from layer to layer. Verdicts are those of `trainer.diagnostics`, which "
        "sees gradients by the weights. With ReLU and weights of the wrong size these are equal"
        " in all layers, because the signal changes on its way forward as the gradient does on "
        "its way back: there the signal decides.",
        "Plain and residual networks have the same layers, with batch norm. A block has one "
        "layer, and its input is added to its output unchanged. The published numbers are test "
        "errors of convolutions with blocks of two layers: their signs compare, not their sizes.",
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
