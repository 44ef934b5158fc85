"""Activation functions: what the chapter says of them, their curves and results."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from plumbline.reporting.figures import style
from plumbline.studies.feedforward.activation_functions import FUNCTIONS, properties
from plumbline.studies.feedforward.claims import _figures
from plumbline.studies.framework.claims import Claim, Difference, Value
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

_SUITED = "suited"
TERMS: dict[str, Any] = {
    "accuracy": "test accuracy",
    "mean_accuracy": "validation accuracy, mean over epochs",
    "epochs": "epochs until the accuracy threshold",
    "dead_share": "share of dead hidden units",
    "gradient_slope": "change of the gradient per layer, powers of ten",
    "data": {"": "data", "digits": "digits", "mnist_1d": "MNIST-1D"},
    "depth": "{} hidden layers",
    "function": {
        "": "function", "sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU",
        "leaky_relu": "leaky ReLU", "prelu": "PReLU", "rrelu": "RReLU", "elu": "ELU",
        "silu": "SiLU", "gelu": "GELU", "gelu_tanh": "GELU (tanh formula)",
        "identity": "no activation", "softmax": "softmax",
    },
    "init": {
        "": "initial weights", "suited": "suited initial weights",
        "default": "torch's initial weights",
    },
    "rate": "learning rate",
}  # fmt: skip
_NAMES = TERMS["function"]


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw the functions with their derivatives, and results by function and depth."""
    suited = rows[rows["init"] == _SUITED]
    shown = {"accuracy": "accuracy", "speed": "mean_accuracy", "gradient_slope": "gradient_slope",
             "dead_share": "dead_share"}  # fmt: skip
    results = {f"{name}.svg": _results(suited, metric) for name, metric in shown.items()}
    return {"functions.svg": _curves(), **results}


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the functions' properties, and the means over seeds of each setting."""
    import pandas as pd

    known = pd.DataFrame([{"function": name, **properties(name)} for name in FUNCTIONS])
    place = ["data", "depth", "function", "init"]
    found = rows.groupby(place, sort=False).agg(
        rate=("rate", "first"),
        accuracy=("accuracy", "mean"),
        standard_deviation=("accuracy", "std"),
        seeds_at_threshold=("epochs", "count"),
        epochs=("epochs", "mean"),
        million_operations=("operations", lambda of: of.mean() / 1e6),
        dead_share=("dead_share", "mean"),
        gradient_slope=("gradient_slope", "mean"),
    )
    shown = known.replace({np.inf: "∞", -np.inf: "−∞"})
    return {"The functions": shown, "Means over seeds": found.reset_index()}


def _curves() -> str:
    drawn, axes = style.figure(9.0, rows=6, columns=2)
    z = np.linspace(-5, 5, 401)
    for axis, (name, function) in zip(axes, FUNCTIONS.items(), strict=True):
        value, derivative = function(z)
        axis.plot(z, value, color=style.SERIES[0], label="value")
        axis.plot(z, derivative, "--", color=style.SERIES[1], label="derivative")
        axis.set(title=_NAMES[name], ylim=(-1.6, 3.6), xlim=(-5, 5))
    axes[0].legend(loc="upper left", bbox_to_anchor=(-0.02, 1.05), handlelength=1.4)
    return style.svg(drawn)


def _results(rows: pd.DataFrame, metric: str) -> str:
    """Draw the mean of each function and depth, with the range over seeds, a panel per data set."""
    sources, functions = (list(dict.fromkeys(rows[name])) for name in ("data", "function"))
    depths, labels = sorted(set(rows["depth"])), [_NAMES[name] for name in functions]
    margins = style.Margins(left=0.25 + style.text_width(labels), bottom=0.8)
    drawn, axes = style.figure(
        (1.2 + 0.3 * len(functions)) * len(sources), rows=len(sources), margins=margins
    )
    for axis, source in zip(axes, sources, strict=True):
        for number, depth in enumerate(depths):
            chosen = rows[(rows["data"] == source) & (rows["depth"] == depth)]
            by_function = chosen.pivot(index="seed", columns="function", values=metric)[functions]
            heights = np.arange(len(functions)) + 0.18 * (number - (len(depths) - 1) / 2)
            _figures.ranges(axis, by_function, heights, colour=style.SERIES[number],
                            label=f"{depth} layers")  # fmt: skip
        axis.set_yticks(range(len(functions)), labels)
        axis.set_ylim(len(functions) - 0.4, -0.6)
        axis.set(title=TERMS["data"][source], xlabel=TERMS[metric])
    drawn.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=len(depths),
                 handletextpad=0.2, columnspacing=1.2)  # fmt: skip
    return style.svg(drawn)


def _at(function: str, depth: int, *, data: str = "digits", init: str = _SUITED) -> dict[str, Any]:
    return {"function": function, "depth": depth, "data": data, "init": init}


def _versus(
    identity: str, exercise: str, statement: str, metric: str, first: str, second: str, depth: int,
    relevant: float, *, data: str = "digits", direction: Literal["more", "equal"] = "more",
) -> Claim:  # fmt: skip
    of = Difference(metric, _at(first, depth, data=data), _at(second, depth, data=data))
    return Claim(identity, exercise, statement, of, direction, relevant)


CLAIMS = (
    _versus("relu_faster_than_sigmoid", "E16", "ReLU networks learn faster than sigmoid networks.",
            "mean_accuracy", "relu", "sigmoid", 5, 0.02),
    _versus("relu_faster_than_tanh", "E16", "ReLU networks learn faster than tanh networks.",
            "mean_accuracy", "relu", "tanh", 5, 0.02),
    _versus("relu_faster_than_tanh_1d", "E16",
            "On MNIST-1D, too, ReLU networks learn faster than tanh networks.",
            "mean_accuracy", "relu", "tanh", 5, 0.02, data="mnist_1d"),
    Claim("relu_six_times_faster", "E13",
          "ReLU networks need a sixth of the epochs of tanh networks, as in one published study.",
          Difference("epochs", _at("tanh", 5), _at("relu", 5), log=True), "more", math.log(6)),
    _versus("sigmoid_fails_deep", "E16",
            "Sigmoid networks of 20 layers do not learn what ReLU networks learn.",
            "accuracy", "relu", "sigmoid", 20, 0.3),
    _versus("sigmoid_vanishes", "E13",
            "The gradient vanishes faster in sigmoid networks than in tanh networks.",
            "gradient_slope", "sigmoid", "tanh", 10, 0.2),
    Claim("relu_gradient_kept", "E13",
          "The gradient of a ReLU network does not vanish (a factor of 1.26 per layer at most).",
          Value("gradient_slope", _at("relu", 20)), "equal", 0.1),
    *(_versus(f"{name}_deep", "E16", f"{_NAMES[name]} is more accurate than ReLU in deep networks.",
              "accuracy", name, "relu", 20, 0.01, data="mnist_1d")
      for name in ("silu", "gelu", "elu")),
    _versus("relu_dies", "E13", "Some ReLU units die, and those of leaky ReLU do not.",
            "dead_share", "relu", "leaky_relu", 10, 0.01),
    _versus("leaky_not_better", "E13",
            "Leaky ReLU is not always more accurate than ReLU: here both are alike.",
            "accuracy", "leaky_relu", "relu", 5, 0.01, direction="equal"),
    _versus("gelu_approximation", "E13", "The tanh formula of GELU can replace the exact one.",
            "accuracy", "gelu_tanh", "gelu", 5, 0.01, direction="equal"),
    _versus("linear_is_not_enough", "E16", "Without a non-linear function depth gains nothing.",
            "accuracy", "relu", "identity", 5, 0.05, data="mnist_1d"),
    Claim("framework_decides", "E16",
          "The initial weights alone decide how well deep sigmoid networks learn: the default of a "
          "framework is worse than Xavier's.",
          Difference("accuracy", _at("sigmoid", 5), _at("sigmoid", 5, init="default")),
          "more", 0.05),
)  # fmt: skip

STUDY = Study(
    name="activations",
    lab="feedforward",
    title="Activation functions",
    exercises=("E13", "E16"),
    question=(
        "Which activation function trains fastest and most accurately, at which depth, and why?"
    ),
    claims=CLAIMS,
    figures=figures,
    captions={
        "functions.svg": "Each activation function and its derivative.",
        "accuracy.svg": "Test accuracy by function and depth: mean and range over seeds.",
        "speed.svg": "Speed of training: a network that learns faster has a higher validation "
        "accuracy, mean over epochs. Mean and range over seeds.",
        "gradient_slope.svg": "Change of the gradient per layer before training, as a power of "
        "ten: above 0 it vanishes on its way to the inputs. Mean and range over seeds.",
        "dead_share.svg": "Share of hidden units that pass no gradient after training: mean and "
        "range over seeds.",
    },
    tables=tables,
    terms=TERMS,
    notes=(
        "Every function has its own learning rate at every depth and on every data set: of a "
        "small grid the one with the highest validation accuracy, mean over epochs. No choice "
        "uses test rows. Seeds draw initial weights, the order of rows, and the division into "
        "training and validation rows; test rows are the same for all, so intervals do not cover "
        "other test rows.",
        "*Suited initial weights* are Xavier's for sigmoid, tanh and no activation, and He's for "
        "the other functions. *torch's initial weights* are the default of torch, the same for "
        "every function.",
        "Operations count 6 per weight and row of training until the validation accuracy reached "
        "the threshold, without those of the functions themselves. Claims about speed compare the "
        "mean validation accuracy over epochs, which is defined where the threshold is never "
        "reached.",
        "A unit is dead if its derivative is below 0.005 for every training row: half the slope "
        "of leaky ReLU. The change of the gradient is measured before training; above 0, the "
        "gradient vanishes on its way to the inputs.",
        "The figure shows PReLU with the slope from which it learns, RReLU with its slope in "
        "evaluation, and softmax as one of three outputs while the other inputs are 0. Softmax is "
        "for outputs and is not trained here. The chapter says that ReLU's outputs are not "
        "centred, and that its derivative is undefined at 0; torch takes 0.",
    ),
)
