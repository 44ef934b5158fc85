"""Claims, figures and tables of the network from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plumbline.reporting.figures import style
from plumbline.studies.feedforward.claims import _figures
from plumbline.studies.framework.claims import Claim, Difference, Slope, Value
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

_FLOWERS = ("setosa", "versicolor", "virginica")
_ARMS: dict[Any, str] = {
    "": "model", "network": "network", "logistic regression": "logistic regression",
    "majority class": "majority class", "forward": "forward mode", "reverse": "reverse mode",
    "autograd": "from autograd", "finite differences": "from finite differences",
    "torch": "NumPy against torch", "Lightning": "NumPy against Lightning",
}  # fmt: skip
_AGREE = "agreement of the printed digits with the {} numbers, 1 or 0"
TERMS: dict[str, Any] = {
    "value": "",
    "measure": {
        "": "measure", "cut": _AGREE.format("cut-off"), "rounded": _AGREE.format("rounded"),
        "accuracy": "test accuracy", "log loss": "test log loss, nats",
        "cost": "cost of all derivatives",
    },
    "part": {
        "": "split", "redrawn splits": "a new split for each seed",
        "chapter's split": "the chapter's split", "modes": "",
        "gradients": "largest difference of a hand-written derivative",
        "three libraries": "largest difference of a weight after training",
    },
    "case": {
        "": "quantity", "iris": "Iris", "worst of all": "all activations and heads",
        "all printed numbers": "", "growing parameters": "more and more parameters",
        "growing outputs": "more and more outputs",
    },
    "arm": _ARMS,
    "size": "their number",
}  # fmt: skip


def _exact(identity: str, exercise: str, statement: str, contrast: Slope | Value, within: float
           ) -> Claim:  # fmt: skip
    return Claim(identity, exercise, statement, contrast, "equal", within, every_seed=True)


def _exponent(arm: str, grows: str, *, is_claimed: float) -> Slope:
    at = {"part": "modes", "case": f"growing {grows}", "arm": arm, "measure": "cost"}
    return Slope("value", "size", at, log=True, log_over=True, target=is_claimed)


def _printed(measure: str) -> Value:
    return Value("value", {"case": "all printed numbers", "measure": measure}, target=1.0)


def _gradients(arm: str) -> Value:
    return Value("value", {"part": "gradients", "case": "worst of all", "arm": arm})


def _less(other: str, measure: str = "accuracy") -> Difference:
    at = {"part": "redrawn splits", "case": "iris", "measure": measure}
    return Difference("value", {**at, "arm": "network"}, {**at, "arm": other})


CLAIMS = (
    _exact("printed_digits", "E12",
           "The worked example prints the first digits of the exact numbers: −0.393, −0.211, "
           "1.0039, 0.5021.",
           _printed("cut"), 0.0),
    _exact("printed_rounded", "E12", "The worked example prints rounded numbers.",
           _printed("rounded"), 0.0),
    _exact("chain_rule_autograd", "E3",
           "The chain rule, applied layer by layer from the output back, gives every derivative: "
           "the hand-written gradient equals that of autograd.",
           _gradients("autograd"), 1e-8),
    _exact("chain_rule_differences", "E3",
           "The hand-written gradient equals that of central finite differences.",
           _gradients("finite differences"), 1e-8),
    _exact("reverse_parameters", "E12",
           "In reverse mode one pass gives the derivatives by all parameters: the cost, in "
           "evaluations of the network, does not grow with their number (exponent 0).",
           _exponent("reverse", "parameters", is_claimed=0.0), 0.1),
    _exact("forward_parameters", "E12",
           "In forward mode each parameter needs a pass of its own (exponent 1).",
           _exponent("forward", "parameters", is_claimed=1.0), 0.1),
    _exact("reverse_outputs", "E3",
           "In reverse mode each output needs a pass of its own (exponent 1).",
           _exponent("reverse", "outputs", is_claimed=1.0), 0.1),
    _exact("forward_outputs", "E3",
           "In forward mode one pass gives the derivatives of all outputs (exponent 0).",
           _exponent("forward", "outputs", is_claimed=0.0), 0.1),
    Claim("iris_majority", "E15",
          "The network classifies Iris better than the majority class, by more than 50 points.",
          _less("majority class"), "more", 0.5),
    Claim("iris_logistic", "E15",
          "The network classifies Iris better than logistic regression, by more than 1 point.",
          _less("logistic regression"), "more", 0.01),
    Claim("iris_logistic_loss", "E15",
          "The network has a lower log loss than logistic regression, by more than 0.02 nats.",
          _less("logistic regression", "log loss"), "less", 0.02),
    *(_exact(f"same_as_{library.lower()}", "E15",
             f"Trained from the same start, the weights equal those of {library} to 1e-12.",
             Value("value", {"part": "three libraries", "arm": library}), 1e-12)
      for library in ("torch", "Lightning")),
)  # fmt: skip


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw loss curves, accuracies and the costs of both modes."""
    drawn = {"loss.svg": _loss_curves, "accuracy.svg": _accuracies, "modes.svg": _modes}
    return {name: style.svg(draw(rows)) for name, draw in drawn.items()}


def _loss_curves(rows: pd.DataFrame) -> Any:
    chosen = rows[(rows["part"] == "chapter's split") & (rows["measure"] == "loss")]
    drawn, (axis,) = style.figure(2.6)
    _figures.curve(
        axis, chosen, colour=style.ACCENT, label="median, and range over seeds", marker=""
    )
    axis.set(xlabel="epoch", ylabel="cross-entropy, nats", yscale="log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.legend()
    return drawn


def _accuracies(rows: pd.DataFrame) -> Any:
    arms = list(dict.fromkeys(rows.loc[rows["case"] == "iris", "arm"]))
    parts = ("chapter's split", "redrawn splits")
    drawn, axes = style.figure(
        1.5 * len(parts) + 0.3, rows=2,
        margins=style.Margins(left=0.25 + style.text_width(arms), bottom=0.46),
    )  # fmt: skip
    for axis, part in zip(axes, parts, strict=True):
        for at, arm in enumerate(arms):
            chosen = (rows["part"] == part) & (rows["arm"] == arm) & (rows["measure"] == "accuracy")
            counts = rows.loc[chosen, "value"].round(9).value_counts()
            axis.scatter(counts.index, [at] * len(counts), s=8 * counts, alpha=0.6,
                         color=style.SERIES[at], lw=0)  # fmt: skip
        axis.set(title=TERMS["part"][part], ylim=(len(arms) - 0.4, -0.6), xlim=(0.25, 1.05))
        axis.set_yticks(range(len(arms)), arms)
    axes[-1].set_xlabel("test accuracy")
    return drawn


def _modes(rows: pd.DataFrame) -> Any:
    drawn, axes = style.figure(5.2, rows=2)
    costs_of_all = rows.loc[rows["measure"] == "cost", "value"]
    for axis, grows in zip(axes, ("parameters", "outputs"), strict=True):
        chosen = rows[(rows["case"] == f"growing {grows}") & (rows["measure"] == "cost")]
        for colour, (arm, own) in zip(style.SERIES, chosen.groupby("arm"), strict=False):
            costs = own.groupby("size")["value"].mean()
            axis.plot(costs.index, costs, "o-", ms=4, color=colour, label=_ARMS[arm])
        axis.set(title=f"Growing number of {grows}", xlabel=grows, yscale="log",
                 ylabel="evaluations of the network", ylim=(1, 2 * costs_of_all.max()))  # fmt: skip
        _figures.ticks(axis, chosen["size"])
        axis.legend()
    return drawn


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the worked example, the scores on Iris and the confusion matrix."""
    example = rows[(rows["part"] == "worked example") & (rows["seed"] == rows["seed"].min())]
    numbers = example.pivot_table(index="case", columns="measure", values="value", sort=False)
    numbers = numbers.drop(index="all printed numbers")
    exact, printed = numbers["exact"].map("{:.6f}".format), numbers["printed"].map("{:g}".format)
    agree = numbers[["cut", "rounded"]].map({0.0: "no", 1.0: "yes"}.get)
    scores = rows[rows["case"] == "iris"].groupby(["part", "arm", "measure"], sort=False)["value"]
    summary = scores.agg(["mean", "std", "min", "max", "count"]).reset_index()
    cases = rows[(rows["part"] == "redrawn splits") & (rows["measure"] == "cases")]
    counts = cases.groupby("case", sort=False)["value"].sum().to_numpy().reshape(3, 3)
    import pandas as pd

    confusion = pd.DataFrame(counts.astype(int), columns=[f"decided: {f}" for f in _FLOWERS])
    confusion.insert(0, "species", list(_FLOWERS))
    checks = rows[rows["part"] == "differences"].groupby("measure", sort=False)["value"].sum()
    return {
        "Derivatives and finite differences, all seeds": checks.astype(int)
        .rename("weights")
        .rename_axis("check")
        .reset_index(),
        "Worked example": agree.assign(exact=exact, printed=printed)
        .reset_index()[["case", "exact", "printed", "cut", "rounded"]]
        .rename(columns={"cut": "agrees if cut off", "rounded": "agrees if rounded"}),
        "Scores on 30 held-out flowers": summary.rename(
            columns={"std": "standard deviation", "count": "seeds"}
        ),
        "Confusion matrix, summed over the new splits": confusion,
    }


STUDY = Study(
    name="scratch",
    lab="feedforward",
    title="A network from scratch: backpropagation by hand",
    exercises=("E3", "E12", "E15"),
    question="Does a network whose derivatives are written by hand learn what a library's does? "
    "Why are derivatives computed from the output back?",
    claims=CLAIMS,
    figures=figures,
    captions={
        "loss.svg": "Training loss on Iris, on the chapter's split: median and range over seeds.",
        "accuracy.svg": "Accuracy on 30 held-out flowers; larger dots stand for more seeds.",
        "modes.svg": "Cost of all derivatives by both modes, in evaluations of the network, as "
        "the number of parameters grows (above) and the number of outputs (below).",
    },
    tables=tables,
    terms=TERMS,
    notes=(
        "**Worked example.** The chapter's four numbers are the exact ones cut off after their "
        "last printed digit, not rounded: the derivative by the first weight is −0.211508, "
        "which rounds to −0.212. The chapter gets −0.211 by taking 0.196 for the slope of the "
        "sigmoid at 1, which is 0.196612. The new weights are right to their digits.",
        "**Gradients** are checked for each activation (sigmoid, tanh, ReLU, leaky ReLU, ELU, "
        "SiLU, GELU and none) with each head (binary, multi-class, regression) on small "
        "networks of several hidden layers, with biases other than 0; the largest error over "
        "all of them counts. Finite differences have a step of 3e-6. They count where twice the "
        "step gives the same to 3e-9: at the kink of a ReLU there is no derivative. The output "
        "layer is scaled, so that its sums are at most 2: no loss is rounded near probability 1.",
        "**Iris.** As in the chapter: 4-10-3, ReLU, weights of variance 2 / fan-in, biases that "
        "start at 0, all 120 training flowers in every step, inputs standardised by them, a "
        "stratified 80/20 split with seed 42. The chapter's listing draws its weights without a "
        "seed, ends before it prints the test accuracy, prints the loss before a step beside the "
        "accuracy after it, and limits the loss of a confident error but not its gradient. It "
        "compares with no other model. Here the weights have a seed, and every number has its "
        "spread over seeds. The baselines are the majority class and logistic regression, whose "
        "penalty is chosen by cross-validation on the training flowers (C of 1, 10, 100). One "
        "test flower is 3.3 points of accuracy: a single split tells little.",
        "**Three libraries.** NumPy, torch (the network of this project, double precision) and "
        "the Lightning Trainer start from the same weights and take all rows in every step. Only "
        "the order of their sums differs.",
        "**Modes.** Operations are counted (`torch.utils.flop_counter`, matrix products), not "
        "timed: they are the same on every machine and in every seed. Both modes compute the "
        "whole Jacobian of one input, with `torch.func.jvp` and `torch.func.vjp`; the cost is in "
        "evaluations of the network. The cost of reverse mode is independent of the number of "
        "parameters for one output, such as a loss. It needs more memory: it keeps all "
        "activations until the way back.",
    ),
)
