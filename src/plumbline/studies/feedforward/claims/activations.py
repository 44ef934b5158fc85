"""Activation functions: what the chapter says of them, their curves and results."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.studies.feedforward.activation_functions import FUNCTIONS, properties
from plumbline.studies.framework.claims import Claim, Difference, Value
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

_SUITED = "suited"
_TITLES = {"digits": "digits", "mnist_1d": "MNIST-1D"}


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw the functions with their derivatives, and results by function and depth."""
    suited = rows[rows["init"] == _SUITED]
    return {
        "functions.svg": _curves(),
        "accuracy.svg": _dots(suited, "accuracy", "test accuracy"),
        "speed.svg": _dots(suited, "mean_accuracy", "validation accuracy, mean over epochs"),
        "gradient_slope.svg": _dots(suited, "gradient_slope", "gradient slope, decades per layer"),
        "dead_share.svg": _dots(suited, "dead_share", "share of dead hidden units"),
    }


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
    from plumbline.reporting.figures import style

    drawn, axes = style.figure(6.4, width=7.2, rows=4, columns=3)
    z = np.linspace(-5, 5, 401)
    for axis, (name, function) in zip(axes, FUNCTIONS.items(), strict=True):
        value, derivative = function(z)
        axis.plot(z, value, color=style.SERIES[0], label="value")
        axis.plot(z, derivative, "--", color=style.SERIES[1], label="derivative")
        axis.set(title=name.replace("_", " "), ylim=(-1.6, 3.6), xlim=(-5, 5))
    axes[0].legend(loc="upper left", bbox_to_anchor=(-0.02, 1.05), handlelength=1.4)
    return style.svg(drawn)


def _dots(rows: pd.DataFrame, metric: str, label: str) -> str:
    """Draw the mean of each function and depth, with the range over seeds, a panel per data set."""
    from plumbline.reporting.figures import style

    sources, functions = (list(dict.fromkeys(rows[name])) for name in ("data", "function"))
    depths = sorted(set(rows["depth"]))
    margins = style.Margins(left=0.25 + style.text_width(functions), bottom=0.8)
    drawn, axes = style.figure(
        1.2 + 0.36 * len(functions), width=3.6 * len(sources), columns=len(sources), margins=margins
    )
    for axis, source in zip(axes, sources, strict=True):
        for number, depth in enumerate(depths):
            chosen = rows[(rows["data"] == source) & (rows["depth"] == depth)]
            found = chosen.groupby("function")[metric].agg(["mean", "min", "max"]).loc[functions]
            heights = np.arange(len(functions)) + 0.18 * (number - (len(depths) - 1) / 2)
            ends = np.abs(found[["min", "max"]].to_numpy().T - found["mean"].to_numpy())
            axis.errorbar(
                found["mean"], heights, xerr=ends, fmt="o", ms=3.5, lw=1.2,
                color=style.SERIES[number], label=str(depth),
            )  # fmt: skip
        names = [name.replace("_", " ") for name in functions]
        axis.set_yticks(range(len(functions)), names)
        axis.set_ylim(len(functions) - 0.4, -0.6)
        axis.set(title=_TITLES.get(source, source), xlabel=label)
    marks, depths_shown = axes[0].get_legend_handles_labels()
    drawn.legend(
        marks, [f"{depth} hidden layers" for depth in depths_shown], loc="lower center",
        ncols=len(depths), handletextpad=0.2, columnspacing=1.2,
    )  # fmt: skip
    return style.svg(drawn)


def _at(function: str, depth: int, *, data: str = "digits", init: str = _SUITED) -> dict[str, Any]:
    return {"function": function, "depth": depth, "data": data, "init": init}


def _pair(metric: str, first: str, second: str, depth: int, data: str = "digits") -> Difference:
    return Difference(metric, _at(first, depth, data=data), _at(second, depth, data=data))


CLAIMS = (
    Claim(
        "relu_faster_than_sigmoid", "E16",
        "ReLU networks learn faster than sigmoid networks.",
        _pair("mean_accuracy", "relu", "sigmoid", 5), "more", 0.02,
    ),
    Claim(
        "relu_faster_than_tanh", "E16",
        "ReLU networks learn faster than tanh networks.",
        _pair("mean_accuracy", "relu", "tanh", 5), "more", 0.02,
    ),
    Claim(
        "relu_faster_than_tanh_1d", "E16",
        "ReLU networks learn faster than tanh networks: on MNIST-1D as well.",
        _pair("mean_accuracy", "relu", "tanh", 5, "mnist_1d"), "more", 0.02,
    ),
    Claim(
        "relu_six_times_faster", "E13",
        "ReLU networks need a sixth of the epochs of tanh networks, as in one published study.",
        Difference("epochs", _at("tanh", 5), _at("relu", 5), log=True), "more", math.log(6),
    ),
    Claim(
        "sigmoid_fails_deep", "E16",
        "Sigmoid networks of 20 layers do not learn what ReLU networks learn.",
        _pair("accuracy", "relu", "sigmoid", 20), "more", 0.3,
    ),
    Claim(
        "sigmoid_vanishes", "E13",
        "The gradient vanishes faster in sigmoid networks than in tanh networks.",
        _pair("gradient_slope", "sigmoid", "tanh", 10), "more", 0.2,
    ),
    Claim(
        "relu_gradient_kept", "E13",
        "The gradient of a ReLU network does not vanish (a factor of 1.26 per layer at most).",
        Value("gradient_slope", _at("relu", 20)), "equal", 0.1,
    ),
    Claim(
        "silu_deep", "E16",
        "SiLU is more accurate than ReLU in deep networks.",
        _pair("accuracy", "silu", "relu", 20, "mnist_1d"), "more", 0.01,
    ),
    Claim(
        "gelu_deep", "E16",
        "GELU is more accurate than ReLU in deep networks.",
        _pair("accuracy", "gelu", "relu", 20, "mnist_1d"), "more", 0.01,
    ),
    Claim(
        "elu_deep", "E16",
        "ELU is more accurate than ReLU in deep networks.",
        _pair("accuracy", "elu", "relu", 20, "mnist_1d"), "more", 0.01,
    ),
    Claim(
        "relu_dies", "E13",
        "Some ReLU units die, and those of leaky ReLU do not.",
        _pair("dead_share", "relu", "leaky_relu", 10), "more", 0.01,
    ),
    Claim(
        "leaky_not_better", "E13",
        "Leaky ReLU is not always more accurate than ReLU: here both are alike.",
        _pair("accuracy", "leaky_relu", "relu", 5), "equal", 0.01,
    ),
    Claim(
        "gelu_approximation", "E13",
        "The tanh formula of GELU can replace the exact one.",
        _pair("accuracy", "gelu_tanh", "gelu", 5), "equal", 0.01,
    ),
    Claim(
        "linear_is_not_enough", "E16",
        "Without a non-linear function depth gains nothing.",
        _pair("accuracy", "relu", "identity", 5, "mnist_1d"), "more", 0.05,
    ),
    Claim(
        "framework_decides", "E16",
        "The initial weights of a framework alone decide about deep sigmoid networks.",
        Difference("accuracy", _at("sigmoid", 5), _at("sigmoid", 5, init="default")), "more", 0.05,
    ),
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
    tables=tables,
    notes=(
        "Every function has its own learning rate at every depth and on every data set: the one "
        "with the highest validation accuracy, mean over epochs, of a small grid. Test rows choose "
        "nothing. Seeds draw initial weights, order, and the division into training and validation "
        "rows; test rows are the same for all, so intervals do not cover other test rows.",
        "Weights are drawn for the function: Xavier for sigmoid, tanh and identity, He for the "
        "others. *default* are the weights that torch draws whatever the function is.",
        "Operations count 6 per weight and row of training until the validation accuracy reached "
        "the threshold; those of the functions themselves are left out. Claims about speed compare "
        "the mean validation accuracy over epochs, which is defined where the threshold is never "
        "reached.",
        "A unit is dead if its derivative is below 0.005 for every training row: half the slope of "
        "leaky ReLU. The gradient slope is taken before training; above 0, the gradient vanishes "
        "on its way to the inputs.",
        "PReLU is drawn with the slope from which it learns, RReLU with the slope of its "
        "evaluation, softmax as one of three outputs while the other inputs are 0. Softmax is for "
        "outputs and is not trained here. The chapter calls ReLU's outputs not centred and its own "
        "derivative undefined at 0; torch takes 0.",
    ),
)
