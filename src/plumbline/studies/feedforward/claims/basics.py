"""Claims, figures and tables of the basic network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from plumbline.reporting.figures import style
from plumbline.studies.feedforward.claims import _figures
from plumbline.studies.framework.claims import Claim, Difference, Slope, Value
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

FUNCTIONS = ("sine", "bump", "root")
_NETWORK, _LINES = "network", "piecewise linear"
_ARMS = {
    "": "network",
    _NETWORK: "network",
    _LINES: "best piecewise-linear function",
    "relu": "ReLU",
    "identity": "no activation",
}
TERMS: dict[str, Any] = {
    "value": "",
    "measure": {
        "": "measure",
        "collapse error": "largest relative difference of the outputs from those of one layer",
        "nonlinear share": "share of the variance of the outputs that no affine function explains",
        "factor": "factor of ŷ − y in the gradient",
        "error from plain difference": "largest difference of the gradient from ŷ − y",
        "error from scaled difference": "largest difference of the gradient from factor · (ŷ − y)",
    },
    "part": {
        "approximation": "error of the approximation", "exclusive or": "accuracy on exclusive or",
        "layers": "", "heads": "",
    },
    "case": {
        "": "head", "sine": "sine", "bump": "bump", "root": "root",
        "binary": "sigmoid, cross-entropy", "multi-class": "softmax, cross-entropy",
        "regression": "squared error",
        "sigmoid and squared error": "sigmoid, squared error",
    },
    "arm": _ARMS,
    "size": {"": "the number of hidden units", 16: "16 hidden units", 100: "100 layers"},
}  # fmt: skip


def _errors(function: str, arm: str) -> dict[str, Any]:
    return {"part": "approximation", "case": function, "arm": arm}


def _exponent(function: str) -> Slope:
    return Slope("value", "size", _errors(function, _NETWORK), log=True, log_over=True)


def _layers(arm: str, measure: str) -> Value:
    return Value("value", {"part": "layers", "arm": arm, "measure": measure, "size": 100})


def _gradient(identity: str, statement: str, head: str, target: float = 0.0) -> Claim:
    measure = "factor" if target else "error from plain difference"
    at = {"part": "heads", "case": head, "measure": measure}
    return Claim(
        identity, "E10", f"{statement}.", Value("value", at, target), "equal", 1e-10,
        every_seed=True,
    )  # fmt: skip


CLAIMS = (
    *(Claim(f"width_{function}", "E10",
            f"More hidden units approximate the {function} better: the error falls faster than "
            "width to the power −0.5.",
            _exponent(function), "less", 0.5)
      for function in FUNCTIONS),
    *(Claim(f"optimum_{function}", "E10",
            f"Training finds the best network: with 16 hidden units the error on the {function} is "
            "within a factor of 1.5 of that of the best piecewise-linear function with as many "
            "parameters.",
            Difference("value", {**_errors(function, _NETWORK), "size": 16},
                       {**_errors(function, _LINES), "size": 16}, log=True),
            "equal", math.log(1.5))
      for function in FUNCTIONS),
    Claim("width_never_helps", "E10", "A wider network never approximates the sine better.",
          _exponent("sine"), "more", 0.0, is_false=True),
    Claim("linear_layers", "E10",
          "100 layers without activation are one layer: a layer with the product of their weights "
          "has the same outputs, to 1e-10 of the largest.",
          _layers("identity", "collapse error"), "equal", 1e-10, every_seed=True),
    Claim("relu_layers", "E10",
          "100 layers with ReLU are more than one layer: the best affine function leaves more than "
          "5 % of the variance of their outputs unexplained.",
          _layers("relu", "nonlinear share"), "more", 0.05),
    Claim("exclusive_or", "E10",
          "With ReLU a network learns exclusive or, without activation it does not: the accuracies "
          "differ by more than 20 points.",
          Difference("value", {"part": "exclusive or", "arm": "relu"},
                     {"part": "exclusive or", "arm": "identity"}),
          "more", 0.2),
    *(_gradient(f"head_{head.replace('-', '_')}",
                f"With {name} the gradient at the output is ŷ − y", head)
      for head, name in (("binary", "sigmoid and cross-entropy"),
                         ("multi-class", "softmax and cross-entropy"),
                         ("regression", "squared error"))),
    _gradient("head_regression_factor",
              "With squared error the gradient at the output is 2 (ŷ − y)", "regression", 2.0),
)  # fmt: skip


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw error against width, and what layers with and without activation amount to."""
    drawn = {"approximation.svg": _approximation, "layers.svg": _depths}
    return {name: style.svg(draw(rows)) for name, draw in drawn.items()}


def _approximation(rows: pd.DataFrame) -> Any:
    chosen = rows[rows["part"] == "approximation"]
    drawn, axes = style.figure(2.4 * len(FUNCTIONS), rows=len(FUNCTIONS))
    for axis, function in zip(axes, FUNCTIONS, strict=True):
        for arm, colour in ((_NETWORK, style.ACCENT), (_LINES, style.SOFT)):
            own = chosen[(chosen["case"] == function) & (chosen["arm"] == arm)]
            _figures.curve(axis, own, colour=colour, label=_ARMS[arm])
        axis.set(title=function, ylabel="error / std. deviation", yscale="log")
        _figures.ticks(axis, chosen["size"])
        axis.set_ylim(0.7 * chosen["value"].min(), 1.3)
    axes[-1].set_xlabel("hidden units")
    axes[0].legend(loc="lower left")
    return drawn


def _depths(rows: pd.DataFrame) -> Any:
    chosen = rows[(rows["part"] == "layers") & (rows["measure"] == "nonlinear share")]
    drawn, (axis,) = style.figure(2.6)
    for arm, colour in (("relu", style.ACCENT), ("identity", style.SOFT)):
        _figures.curve(axis, chosen[chosen["arm"] == arm], colour=colour, label=_ARMS[arm])
    axis.set(xlabel="layers", ylabel="share of variance", ylim=(-0.03, 1.03))
    _figures.ticks(axis, chosen["size"])
    axis.legend(loc="upper left")
    return drawn


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the gradients of the heads and the accuracies on exclusive or."""
    heads = rows[(rows["part"] == "heads")]
    gradients = heads.groupby(["case", "measure"], sort=False)["value"].agg(["min", "max"])
    logic = rows[rows["part"] == "exclusive or"].groupby("arm")["value"]
    return {
        "Gradients at the output, by autograd": gradients.reset_index(),
        "Accuracy on exclusive or": logic.agg(["mean", "min", "max", "count"])
        .reset_index()
        .rename(columns={"count": "seeds"}),
    }


STUDY = Study(
    name="basics",
    lab="feedforward",
    title="The basic network: width, depth, activation, output",
    exercises=("E10",),
    question="What do hidden units, layers, activations and output heads contribute by themselves?",
    claims=CLAIMS,
    figures=figures,
    captions={
        "approximation.svg": "Error of a network and of the best piecewise-linear function with as "
        "many parameters, by hidden units: median and range over seeds.",
        "layers.svg": "Share of the variance of the outputs that the best affine function of the "
        "inputs does not explain, by number of layers: median and range over seeds.",
    },
    tables=tables,
    terms=TERMS,
    notes=(
        "**Approximation.** One hidden layer of ReLU, fitted by Adam to points of three "
        "functions on [−1, 1]: sin 2πx, 1 / (1 + 25 x²) and √|x|. The error is the root mean "
        "square between the points, over the function's standard deviation. Such a network *is* "
        "a continuous piecewise-linear function, of at most as many knots as units. The "
        "baseline is the best such function of as many parameters: a network of width w has 3 w "
        "+ 1 of them, a function with K inner knots 2 K + 2. Its knots and values descend from "
        "several starts, and the best result counts. The kinks of a network start evenly spread: "
        "this start, the learning rate and the number of steps were chosen after trials in which "
        "the usual start left networks stuck. "
        "Effects of a ratio are logarithms: 0.405 is a factor of 1.5. Errors on the root below "
        "0.015 are those of the distance between the points.",
        "The chapter says that enough hidden units approximate any continuous function. The "
        "theorem needs more: a bounded closed domain, an activation that is no polynomial, and "
        '"to any given accuracy". It says that weights exist, neither how many units they take '
        "nor that training finds them; the distance to the baseline is what training does not "
        "find.",
        "**Layers.** Square layers of normal weights of variance 2 / fan-in, double precision. "
        "Without activation an affine function explains the outputs of any depth completely.",
        "**Exclusive or** has four cases; a linear boundary gets at most three of them right.",
        "**Heads.** The chapter gives ŷ − y for softmax with cross-entropy and 2 (ŷ − y) for "
        "squared error. Both are right, and it follows that ŷ − y is the gradient of *half* the "
        "squared error. Squared error behind a sigmoid has no such form: there the gradient has "
        "the slope of the sigmoid as a factor, which vanishes where the network is surely "
        "wrong.",
    ),
)
