"""How far back networks for sequences remember: claims, figures and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from plumbline.reporting.figures import style
from plumbline.studies.framework.claims import Claim, Difference, Value
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

_GATED = ("lstm", "lstm_bias_1", "lstm_bias_3", "gru", "gru_bias_1")
_STEPS, _PER_STEP = 10, 0.1  # smallest relevant effects: steps, and nats per step
TERMS: dict[str, Any] = {
    "value": "",
    "quantity": {
        "": "quantity", "slope": "slope of the log gradient per step back before training",
        "trained_slope": "slope of the log gradient per step back after training",
        "longest": "longest solved length, steps", "score": "share of the baseline's error avoided",
        "diverged": "share of runs that diverge", "parameters": "parameters",
        "rate": "learning rate",
        "rank_correlation": "rank correlation of slope and longest solved length",
    },
    "task": {"": "task", "adding": "adding task", "copying": "copy task"},
    "setting": {
        "": "network", "tanh": "tanh RNN", "tanh_again": "tanh RNN from other seeds",
        "tanh_orthogonal": "tanh RNN, orthogonal", "relu_identity": "ReLU RNN, identity",
        "relu_unclipped": "ReLU RNN without clipping", "lstm": "LSTM",
        "lstm_bias_1": "LSTM, forget bias 1", "lstm_bias_3": "LSTM, forget bias 3", "gru": "GRU",
        "gru_bias_1": "GRU, update bias 1", "tanh_attention": "tanh RNN with attention",
        "transformer": "transformer", "recurrent": "recurrent networks",
    },
    "length": "{} steps",
}  # fmt: skip
_NAMES, _TASKS = TERMS["setting"], {k: v for k, v in TERMS["task"].items() if k}


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw gradients by step back, seeds that solve each length, and lengths over slopes."""
    return {"gradients.svg": _gradients(rows[rows["quantity"] == "gradient"]),
            "solved.svg": _solved(rows), "slopes.svg": _slopes(rows)}  # fmt: skip


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return means over seeds by setting, and by setting and length."""
    place = ["task", "setting"]
    whole = rows[rows["quantity"].isin(["parameters", "rate", "slope", "longest"])]
    by_length = rows[rows["quantity"].isin(["score", "solved", "diverged", "trained_slope"])]
    names = {**TERMS["quantity"], "solved": "share of seeds that solve it"}
    return {
        heading: _means(chosen, index).rename(columns=names)
        for heading, chosen, index in (
            ("Means over seeds", whole, place),
            ("Means over seeds by length", by_length, [*place, "length"]),
        )
    }


def _means(rows: pd.DataFrame, place: list[str]) -> pd.DataFrame:
    found = rows.pivot_table(values="value", index=place, columns="quantity", sort=False)
    return found.reset_index().rename_axis(columns=None)


def _gradients(rows: pd.DataFrame) -> str:
    """Draw the gradient relative to that of the last step, a panel per family of networks."""
    import numpy as np

    drawn, axes = style.figure(6.6, rows=2, margins=style.Margins(bottom=1.0))
    shown = ~rows["setting"].isin(["tanh_again", "relu_unclipped"])
    chosen = rows[shown & (rows["task"] == "adding")]
    medians = chosen.pivot_table(
        values="value", index="back", columns="setting", aggfunc="median", sort=False
    )
    heights = (medians / medians.iloc[0]).where(medians > 0).apply(np.log10)
    ends = np.nanmin(heights.to_numpy()) - 1, np.nanmax(heights.to_numpy()) + 1
    for axis, gated in zip(axes, (False, True), strict=True):
        names = [name for name in heights if (name in _GATED) == gated]
        for colour, name in zip(style.SERIES, names, strict=False):
            axis.plot(heights.index, heights[name], color=colour, label=_NAMES[name])
        axis.set(xlabel="steps back", ylabel="gradient, powers of ten", ylim=ends,
                 title="Gates" if gated else "No gates")  # fmt: skip
        axis.legend(loc="upper center", bbox_to_anchor=(0.45, -0.16), ncols=2, columnspacing=1.2)
    return style.svg(drawn)


def _solved(rows: pd.DataFrame) -> str:
    """Draw how many seeds solve each length, a panel per task."""
    solved = rows[rows["quantity"] == "solved"]
    settings, lengths = (list(dict.fromkeys(solved[name])) for name in ("setting", "length"))
    margins = style.Margins(left=0.25 + style.text_width(_NAMES[name] for name in settings))
    drawn, axes = style.figure(2 * (0.9 + 0.25 * len(settings)), rows=2, margins=margins)
    lengths = sorted(lengths)
    for axis, (task, title) in zip(axes, _TASKS.items(), strict=True):
        own = solved[solved["task"] == task]
        found = own.pivot_table(values="value", index="setting", columns="length", aggfunc="sum")
        seeds = own["seed"].nunique()
        for height, name in enumerate(settings):
            for place, length in enumerate(lengths):
                known = name in found.index and length in found and found.notna().at[name, length]
                count = int(found.at[name, length]) if known else 0
                axis.barh(height, count / seeds * 0.9, left=place, height=0.7, color=style.ACCENT,
                          alpha=0.35)  # fmt: skip
                axis.text(place + 0.45, height, f"{count} of {seeds}" if known else "–",
                          ha="center", va="center", fontsize=8.5)  # fmt: skip
        axis.set_yticks(range(len(settings)), [_NAMES[name] for name in settings])
        axis.set_xticks([place + 0.45 for place in range(len(lengths))], lengths)
        axis.set(title=title, xlabel="length, steps", ylim=(len(settings) - 0.4, -0.6),
                 xlim=(0, len(lengths)))  # fmt: skip
        axis.grid(visible=False)
    return style.svg(drawn)


def _slopes(rows: pd.DataFrame) -> str:
    """Draw the mean longest solved length of each recurrent network over its mean slope."""
    drawn, axes = style.figure(6.2, rows=2, margins=style.Margins(right=2.0))
    found = _means(rows[rows["quantity"].isin(["slope", "longest"])], ["task", "setting"])
    skipped = ("tanh_again", "tanh_attention", "transformer")
    for axis, (task, title) in zip(axes, _TASKS.items(), strict=True):
        own = found[(found["task"] == task) & ~found["setting"].isin(skipped)]
        for number, each in enumerate(own.itertuples()):
            colour, marker = style.SERIES[number % 6], "o" if number < 6 else "s"
            axis.plot(each.slope, each.longest, marker, ms=6, color=colour,
                      label=_NAMES[each.setting])  # fmt: skip
        axis.set(title=title, xlabel="slope per step back before training",
                 ylabel="longest solved length")  # fmt: skip
    axes[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.05), handletextpad=0.1)
    return style.svg(drawn)


def _at(quantity: str, setting: str, task: str = "adding", **more: int) -> dict[str, Any]:
    return {"quantity": quantity, "setting": setting, "task": task, **more}


def _flatter(name: str, exercise: str, statement: str, first: str, second: str) -> Claim:
    """Compare slopes before training."""
    change = Difference("value", _at("slope", first), _at("slope", second))
    return Claim(name, exercise, statement, change, "more", _PER_STEP)


def _longer(name: str, exercise: str, statement: str, first: str, second: str, task: str = "adding",
            direction: Literal["more", "equal"] = "more") -> Claim:  # fmt: skip
    change = Difference("value", _at("longest", first, task), _at("longest", second, task))
    return Claim(name, exercise, statement, change, direction, _STEPS)


_CLAIMS = (
    Claim("vanishes", "E5", "Before training, the gradient of a tanh RNN loses more than a tenth "
          "per step back.", Value("value", _at("slope", "tanh")), "less", _PER_STEP),
    _flatter("lstm_flatter", "E5", "The gradient of an LSTM with forget bias 1 falls more slowly "
             "than that of a tanh RNN.", "lstm_bias_1", "tanh"),
    _flatter("orthogonal_flatter", "E5", "With orthogonal recurrent weights the gradient of a tanh "
             "RNN falls more slowly.", "tanh_orthogonal", "tanh"),
    _flatter("forget_bias_flatter", "E17", "With forget bias 1 the gradient of an LSTM falls more "
             "slowly.", "lstm_bias_1", "lstm"),
    _flatter("update_bias_flatter", "E17", "With update bias 1 the gradient of a GRU falls more "
             "slowly.", "gru_bias_1", "gru"),
    Claim("training_flattens", "E5", "Training at 20 steps makes the gradient of an LSTM fall more "
          "slowly.", Difference("value", _at("trained_slope", "lstm", length=20),
                                _at("slope", "lstm")), "more", _PER_STEP),
    Claim("better_than_mean", "E5", "At 10 steps a tanh RNN avoids more than a tenth of the error "
          "of predicting the mean.", Value("value", _at("score", "tanh", length=10)), "more", 0.1),
    _longer("gates_longer", "E5", "An LSTM with forget bias 1 solves longer sequences than a tanh "
            "RNN.", "lstm_bias_1", "tanh"),
    _longer("orthogonal_longer", "E5", "With orthogonal recurrent weights a tanh RNN copies over "
            "a longer distance.", "tanh_orthogonal", "tanh", "copying"),
    _longer("forget_bias_longer", "E17", "With forget bias 1 an LSTM solves longer sequences.",
            "lstm_bias_1", "lstm"),
    _longer("update_bias_longer", "E17", "With update bias 1 a GRU copies over a longer distance.",
            "gru_bias_1", "gru", "copying"),
    _longer("gru_as_lstm", "E17", "GRU and LSTM, both with bias 1, solve the same lengths.",
            "gru_bias_1", "lstm_bias_1", direction="equal"),
    Claim("clipping", "E5", "Clipping keeps a ReLU RNN from diverging at 50 steps.",
          Difference("value", _at("diverged", "relu_identity", length=50),
                     _at("diverged", "relu_unclipped", length=50)), "less", 0.25),
    _longer("clipping_longer", "E5", "With clipping a ReLU RNN solves longer sequences.",
            "relu_identity", "relu_unclipped"),
    *(_longer(f"{name}_{task}", "E5", f"{subject} longer sequences of the {_TASKS[task]} than the "
              "tanh RNN alone.", name, "tanh", task)
      for name, subject in (("tanh_attention", "With attention over its states a tanh RNN solves"),
                            ("transformer", "A transformer solves"))
      for task in _TASKS),
    *(Claim(f"slope_predicts_{task}", "E5", "Recurrent networks whose gradient falls more slowly "
            f"before training solve longer sequences of the {_TASKS[task]}.",
            Value("value", _at("rank_correlation", "recurrent", task)), "more", 0.5)
      for task in _TASKS),
    Claim("equal_settings", "E5", "A tanh RNN scores higher than equal ones from other seeds.",
          Difference("value", _at("score", "tanh", length=10),
                     _at("score", "tanh_again", length=10)), "more", 0.05, is_control=True),
    Claim("does_not_vanish", "E5", "Before training, the gradient of a tanh RNN changes by less "
          "than a twentieth per step back.", Value("value", _at("slope", "tanh")), "equal", 0.05,
          is_false=True),
)  # fmt: skip

STUDY = Study(
    name="memory",
    lab="sequence",
    title="Memory over long distances",
    exercises=("E5", "E17"),
    question=(
        "How far back do recurrent networks remember, does the gradient at the start predict it, "
        "and what helps?"
    ),
    claims=_CLAIMS,
    figures=figures,
    captions={
        "gradients.svg": "Gradient of the loss at the inputs by step back, relative to the last "
        "step: adding task, before training, median over seeds.",
        "solved.svg": "Seeds that solve each length; – was not trained, since no seed solved the "
        "next shorter length.",
        "slopes.svg": "Longest solved length over the slope of the log gradient per step back: "
        "means over seeds.",
    },
    tables=tables,
    terms=TERMS,
    notes=(
        "*Adding*: of a sequence of numbers in [0, 1) two are marked, one in each half; the target "
        "is their sum. Predicting the mean has the squared error 1/6. *Copying*: two of four "
        "symbols are followed by blanks; each symbol is the target so many steps later as the "
        "length says. Guessing is wrong in 3 of 4 cases. A score is the share of this error that a "
        "network avoids on test sequences, at its best evaluation; a length is solved at 0.9.",
        "All networks have the same number of units and the same largest number of updates of "
        "Adam; numbers of parameters differ. Training sequences are new in every update, and the "
        "same for all networks of a seed. Each network has its own learning rate on each task: of "
        "a small grid, the one with the highest mean score of further seeds at 20 steps. Lengths "
        "compare networks within these updates: with more, each may solve longer sequences. A "
        "longest solved length is 0 if the shortest length is not solved.",
        "The slope is that of the natural logarithm of the gradient of the loss at the inputs, "
        "over all sequences of a batch, by least squares per step back: 0 means that it neither "
        "vanishes nor explodes, -0.1 a loss of 10 % per step. It is measured in float64, before "
        "training at the longest length, after training at the trained one.",
        "Torch's initial weights are uniform; *orthogonal* and *identity* name the recurrent "
        "weights, and a bias is that of the gate which keeps the state. All gradients are clipped "
        "to the same norm, except where the name says so. A run has diverged if its test error was "
        "ever ten times that of the baseline. Attention is additive over all states so far; the "
        "transformer has one pre-norm block, four heads and learned positions, and is a network "
        "of one block with few parameters, not a large model.",
        "Seeds, updates and learning rates of the default size were chosen after trials, so that "
        "it fits its time and every network has a fair rate; statements and margins were not "
        "changed, but the claim on clipping moved from 10 to 50 steps. Verdicts on the gate biases "
        "and longer sequences, on clipping, on attention with the adding task, and on the mean "
        "predictor differed between these trials: with few seeds they are not firm.",
        "One claim compares equal networks, and one is deliberately false. The full size has wider "
        "networks, more updates and a length of 200 steps: not measured here is what they change.",
    ),
)
