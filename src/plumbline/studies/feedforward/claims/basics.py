"""Claims, figures and tables of the basic network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plumbline.studies.framework.claims import Claim, Difference, Slope, Value
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

FUNCTIONS = ("sine", "bump", "root")
_NETWORK, _LINES = "network", "piecewise linear"


def _falls(function: str) -> Claim:
    return Claim(
        f"width_{function}", "E10",
        f"More hidden units approximate the {function} better: the error falls faster than "
        "width to the power −0.5.",
        Slope("value", "size", _errors(function, _NETWORK), log=True, log_over=True),
        "less", 0.5,
    )  # fmt: skip


def _found(function: str) -> Claim:
    return Claim(
        f"optimum_{function}", "E10",
        f"Training finds what a network could do: at width 16 its error on the {function} is "
        "within a factor 1.5 of that of the best piecewise-linear function of as many parameters.",
        Difference(
            "value", {**_errors(function, _NETWORK), "size": 16},
            {**_errors(function, _LINES), "size": 16}, log=True,
        ),
        "equal", 0.405,
    )  # fmt: skip


def _errors(function: str, arm: str) -> dict[str, Any]:
    return {"part": "approximation", "case": function, "arm": arm}


def _layers(arm: str, measure: str) -> dict[str, Any]:
    return {"part": "layers", "arm": arm, "measure": measure, "size": 100}


def _heads(head: str, measure: str, *, target: float = 0.0) -> Value:
    return Value("value", {"part": "heads", "case": head, "measure": measure}, target=target)


def _gradient(head: str, statement: str) -> Claim:
    identity = head.replace("-", "_").replace(" ", "_")
    return Claim(
        f"head_{identity}", "E10", statement, _heads(head, "error from plain difference"),
        "equal", 1e-10, every_seed=True,
    )  # fmt: skip


CLAIMS = (
    *map(_falls, FUNCTIONS),
    *map(_found, FUNCTIONS),
    Claim(
        "width_never_helps", "E10",
        "A wider network never approximates the sine better.",
        Slope("value", "size", _errors("sine", _NETWORK), log=True, log_over=True),
        "more", 0.0, is_false=True,
    ),
    Claim(
        "linear_layers", "E10",
        "100 layers without activation are one layer: that of the product of their weights gives "
        "the same outputs, to 1e-10 of the largest.",
        Value("value", _layers("identity", "collapse error")), "equal", 1e-10, every_seed=True,
    ),
    Claim(
        "relu_layers", "E10",
        "100 layers with ReLU are not: the best affine function leaves more than 5 % of their "
        "outputs' variance.",
        Value("value", _layers("relu", "nonlinear share")), "more", 0.05,
    ),
    Claim(
        "exclusive_or", "E10",
        "With ReLU a network learns exclusive or, without activation it does not: more than 20 "
        "points of accuracy between them.",
        Difference(
            "value", {"part": "exclusive or", "arm": "relu"},
            {"part": "exclusive or", "arm": "identity"},
        ),
        "more", 0.2,
    ),
    _gradient("binary", "With sigmoid and cross-entropy the gradient at the output is ŷ − y."),
    _gradient("multi-class", "With softmax and cross-entropy the gradient at the output is ŷ − y."),
    _gradient("regression", "With squared error the gradient at the output is ŷ − y."),
    Claim(
        "head_regression_factor", "E10",
        "With squared error the gradient at the output is 2 (ŷ − y).",
        _heads("regression", "factor", target=2.0), "equal", 1e-10, every_seed=True,
    ),
)  # fmt: skip


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw error against width, and what layers with and without activation amount to."""
    from plumbline.reporting.figures import style

    drawn = {"approximation.svg": _approximation, "layers.svg": _depths}
    return {name: style.svg(draw(rows)) for name, draw in drawn.items()}


def _approximation(rows: pd.DataFrame) -> Any:
    from plumbline.reporting.figures import style

    chosen = rows[rows["part"] == "approximation"]
    drawn, axes = style.figure(2.7, width=2.1 * style.WIDTH, columns=len(FUNCTIONS))
    for axis, function in zip(axes, FUNCTIONS, strict=True):
        for arm, colour in ((_NETWORK, style.ACCENT), (_LINES, style.SOFT)):
            own = chosen[(chosen["case"] == function) & (chosen["arm"] == arm)]
            errors = own.pivot_table(index="size", columns="seed", values="value")
            axis.plot(errors.index, errors.median(axis=1), "o-", ms=4, color=colour, label=arm)
            axis.fill_between(errors.index, errors.min(axis=1), errors.max(axis=1), color=colour,
                              alpha=0.2, lw=0)  # fmt: skip
        widths = sorted(set(chosen["size"]))
        axis.set(title=function, xlabel="hidden units", xscale="log", yscale="log")
        axis.set_xticks(widths, [str(width) for width in widths])
        axis.minorticks_off()
        axis.yaxis.set_major_formatter("{x:g}")
        axis.set_ylim(0.7 * chosen["value"].min(), 1.3)
    axes[0].set_ylabel("error / standard deviation")
    axes[0].legend(loc="lower left")
    return drawn


def _depths(rows: pd.DataFrame) -> Any:
    from plumbline.reporting.figures import style

    chosen = rows[(rows["part"] == "layers") & (rows["measure"] == "nonlinear share")]
    drawn, (axis,) = style.figure(2.6)
    for arm, colour in (("relu", style.ACCENT), ("identity", style.SOFT)):
        own = chosen[chosen["arm"] == arm]
        shares = own.pivot_table(index="size", columns="seed", values="value")
        name = {"relu": "ReLU", "identity": "no activation"}[arm]
        axis.plot(shares.index, shares.median(axis=1), "o-", ms=4, color=colour, label=name)
        axis.fill_between(shares.index, shares.min(axis=1), shares.max(axis=1), color=colour,
                          alpha=0.2, lw=0)  # fmt: skip
    depths = sorted(set(chosen["size"]))
    axis.set(title="What an affine function leaves", xlabel="layers", xscale="log",
             ylabel="share of variance", ylim=(-0.03, 1.03))  # fmt: skip
    axis.set_xticks(depths, [str(depth) for depth in depths])
    axis.minorticks_off()
    axis.legend(loc="upper left")
    return drawn


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the gradients of the heads and the accuracies on exclusive or."""
    heads = rows[(rows["part"] == "heads")]
    gradients = heads.groupby(["case", "measure"], sort=False)["value"].agg(["min", "max"])
    logic = rows[rows["part"] == "exclusive or"].groupby("arm")["value"]
    return {
        "Gradients at the output, by autograd": gradients.reset_index().rename(
            columns={"case": "head"}
        ),
        "Accuracy on exclusive or": logic.agg(["mean", "min", "max", "count"])
        .reset_index()
        .rename(columns={"arm": "activation", "count": "seeds"}),
    }


STUDY = Study(
    name="basics",
    lab="feedforward",
    title="The basic network: width, depth, activation, output",
    exercises=("E10",),
    question="What do hidden units, layers, activations and output heads contribute by themselves?",
    claims=CLAIMS,
    figures=figures,
    tables=tables,
    notes=(
        "**Approximation.** One hidden layer of ReLU, fitted by Adam to points of three "
        "functions on [−1, 1]: sin 2πx, 1 / (1 + 25 x²) and √|x|. The error is the root mean "
        "square between the points, over the function's standard deviation. Such a network *is* "
        "a continuous piecewise-linear function, of at most as many knots as units. The "
        "baseline is the best such function of as many parameters: a network of width w has 3 w "
        "+ 1 of them, a function with K inner knots 2 K + 2. Its knots descend together with the "
        "values from the best of several starts. The kinks of a network start evenly spread: this "
        "start, the learning rate and the number of steps were chosen after trials in which the "
        "usual start left networks stuck. "
        "Effects of a ratio are logarithms: 0.405 is a factor of 1.5. Errors on the root below "
        "0.015 are those of the distance between the points.",
        "The chapter says that enough hidden units approximate any continuous function. The "
        "theorem needs more: a bounded closed domain, an activation that is no polynomial, and "
        '"to any given accuracy". It says that weights exist, neither how many units they take '
        "nor that training finds them; the distance to the baseline is what training does not "
        "find.",
        "**Layers.** Square layers of normal weights of variance 2 / fan-in, double precision. "
        "What an affine function of the inputs leaves is 0 without activation whatever the "
        "depth.",
        "**Exclusive or** has four cases, of which a linear boundary gets at most three right.",
        "**Heads.** The chapter gives ŷ − y for softmax with cross-entropy and 2 (ŷ − y) for "
        "squared error. Both are right, and it follows that ŷ − y is the gradient of *half* the "
        "squared error. Squared error behind a sigmoid has no such form: there the gradient has "
        "the slope of the sigmoid as a factor, which vanishes where the network is surely "
        "wrong.",
    ),
)
