"""Classical models and networks: what the chapter says of them, curves and explanations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.reporting.figures import style
from plumbline.studies.feedforward.claims import _figures
from plumbline.studies.framework.claims import Claim, Difference, Value
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

_DATA = {
    "": "data", "digits": "digits", "diabetes": "diabetes", "breast_cancer": "tumours",
    "adult": "adults",
}  # fmt: skip
_ALL = {"digits": 1000, "diabetes": 240, "breast_cancer": 260, "adult": 3000}
_MODELS = {
    "": "model", "linear": "linear model", "shallow_tree": "shallow tree",
    "decision_tree": "decision tree", "nearest_neighbours": "nearest neighbours",
    "svm": "support vector machine", "random_forest": "random forest",
    "gradient_boosting": "gradient boosting", "fnn": "network", "cnn": "convolutional network",
}  # fmt: skip
_METHODS = ("coefficients", "impurity", "permutation", "integrated gradients")
_EXPLANATIONS = {
    f"{method} of {model}": f"{method} of the {name}"
    for method in _METHODS for model, name in _MODELS.items() if model
}  # fmt: skip
_DRAWN = (
    "coefficients of linear", "impurity of random_forest", "permutation of linear",
    "permutation of random_forest", "permutation of fnn", "integrated gradients of fnn",
)  # fmt: skip
TERMS: dict[str, Any] = {
    "score": "test score",
    "gain": "gain in accuracy from 300 to 1000 training rows",
    "fit_operations": "operations of the fit",
    "predict_operations": "operations of a prediction",
    "bytes": "bytes of the file",
    "tau": "rank correlation",
    "steadiness": "rank correlation from one training set to the next",
    "gap": "largest completeness gap of integrated gradients",
    "linear_error": "largest error of integrated gradients",
    "part": dict.fromkeys(("curve", "agreement", "steadiness", "check"), ""),
    "data": _DATA,
    "model": _MODELS,
    "explanation": {"": "explanation", **_EXPLANATIONS},
    "other": {name: f"with {text}" for name, text in _EXPLANATIONS.items()},
    "examples": "{} training rows",
    "text": "rule",
}


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw scores over training rows, importances side by side, and their agreement."""
    curves, shares, pairs = (
        rows[rows["part"].isin(parts)].groupby("data", sort=False)
        for parts in (["curve"], ["importance"], ["agreement", "steadiness"])
    )
    return {
        "score.svg": style.stacked([_curves(own, str(name)) for name, own in curves]),
        "importances.svg": style.stacked([_importances(own, str(name)) for name, own in shares]),
        "agreement.svg": style.stacked([_agreement(own, str(name)) for name, own in pairs]),
    }


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return costs and settings at the most training rows, rules of a tree, and what lacks."""
    curve, rule, left = (rows[rows["part"] == part] for part in ("curve", "rule", "left out"))
    most = curve[curve["examples"] == curve.groupby("data")["examples"].transform("max")]
    costs = most.assign(training_rows=most["examples"].astype(int))
    shown = costs.groupby(["data", "training_rows", "model"], sort=False).agg(
        mean_score=("score", "mean"),
        standard_deviation=("score", "std"),
        million_operations_of_the_fit=("fit_operations", lambda of: of.median() / 1e6),
        predict_operations=("predict_operations", "median"),
        kilobytes=("bytes", lambda of: of.median() / 1000),
        chosen=("setting", "first"),
    )
    rule = rule.assign(rows=rule["rows"].astype(int))
    found = {
        "Score, cost and size with the most training rows": shown.reset_index(),
        "Rules of a shallow tree": rule[["data", "text", "predicted", "rows"]],
    }
    if len(left):
        found["Left out"] = left[["data", "reason"]]
    return found


def _curves(rows: pd.DataFrame, name: str) -> str:
    """Draw the mean score of each model over the training rows, with 95 % intervals."""
    from scipy.stats import t

    drawn, (axis,) = style.figure(4.4, margins=style.Margins(bottom=1.45))
    models = [model for model in _MODELS if model in set(rows["model"]) - {"shallow_tree"}]
    colors = dict(zip(models, style.SERIES, strict=False))  # networks have the colour of text
    for number, model in enumerate(models):
        scores = rows[rows["model"] == model].groupby("examples")["score"]
        own = scores.agg(["mean", "std", "count"])
        half = t.ppf(0.975, own["count"] - 1) * own["std"] / np.sqrt(own["count"])
        axis.errorbar(
            own.index * 1.025 ** (number - 3.5), own["mean"], yerr=half,
            fmt="o--" if model == "cnn" else "o-", ms=3, lw=1.4, color=colors.get(model, style.INK),
            label=_MODELS[model],
        )  # fmt: skip
    means = rows[rows["model"].isin(models)].groupby(["model", "examples"])["score"].mean()
    axis.set_ylim(max(-0.2, means.min() - 0.05), min(1.0, means.max() + 0.05))
    axis.set(
        title=_DATA[name], xlabel="training rows", ylabel="R²" if name == "diabetes" else "accuracy"
    )
    _figures.ticks(axis, rows["examples"].astype(int))
    drawn.legend(*axis.get_legend_handles_labels(), loc="lower center", ncols=2, fontsize=8)
    return style.svg(drawn)


def _importances(rows: pd.DataFrame, name: str) -> str:
    """Draw the mean share of each feature by explanation, most important one first."""
    table = rows.pivot_table(index="feature", columns="explanation", values="share")
    table = table.reindex(columns=list(_DRAWN))
    table = table.loc[table.mean(axis=1).sort_values(ascending=False).index]
    features = list(table.index)
    margins = style.Margins(left=0.25 + style.text_width(features), bottom=1.15)
    drawn, (axis,) = style.figure(1.6 + 0.3 * len(features), margins=margins)
    for number, explanation in enumerate(_DRAWN):
        heights = np.arange(len(table)) + 0.12 * (number - (len(_DRAWN) - 1) / 2)
        label = _EXPLANATIONS[explanation]
        axis.plot(table[explanation], heights, "o", ms=4, color=style.SERIES[number], label=label)
    axis.set_yticks(range(len(features)), features)
    axis.set(title=_DATA[name], xlabel="share of all importance")
    axis.invert_yaxis()
    drawn.legend(*axis.get_legend_handles_labels(), loc="lower center", ncols=2, fontsize=8)
    return style.svg(drawn)


def _agreement(rows: pd.DataFrame, name: str) -> str:
    """Draw the mean rank correlation of every two explanations; on the diagonal of two seeds."""
    rows = rows.assign(
        value=rows["tau"].fillna(rows["steadiness"]),
        other=rows["other"].fillna(rows["explanation"]),
    )
    table = rows.pivot_table(index="other", columns="explanation", values="value")
    order = list(dict.fromkeys(rows["explanation"]))
    values = table.reindex(index=order, columns=order).to_numpy()
    names = [_EXPLANATIONS[each].replace(" of the ", ", ") for each in order]
    room = style.text_width(names) + 0.15
    margins = style.Margins(left=room, bottom=room, top=0.36)
    side = 0.36 * len(names)
    drawn, (axis,) = style.figure(
        side + room + margins.top, width=side + room + margins.right, margins=margins
    )
    axis.pcolormesh(np.ma.masked_invalid(values), cmap="Blues", vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            color = "white" if value > 0.6 else "black"
            axis.text(
                column + 0.5, row + 0.5, f"{value:.2f}", ha="center", va="center", color=color,
                size=8.5,
            )  # fmt: skip
    axis.set_xticks(np.arange(len(names)) + 0.5, names, rotation=90)
    axis.set_yticks(np.arange(len(names)) + 0.5, names)
    axis.set_title(_DATA[name])
    axis.invert_yaxis()
    axis.grid(visible=False)
    return style.svg(drawn)


def _at(model: str, data: str = "digits", examples: int | None = None) -> dict[str, Any]:
    return {"part": "curve", "data": data, "model": model, "examples": examples or _ALL[data]}


def _pair(metric: str, first: str, second: str, data: str = "digits", examples: int | None = None,
          *, log: bool = False) -> Difference:  # fmt: skip
    return Difference(metric, _at(first, data, examples), _at(second, data, examples), log=log)


def _explained(part: str, explanation: str, data: str) -> dict[str, Any]:
    return {"part": part, "data": data, "explanation": explanation}


_TABLES = {"diabetes": "diabetes", "breast_cancer": "tumours"}

_SCORES: dict[str, tuple[str, tuple[Any, ...], float]] = {  # statement, contrast, relevant
    "few_digits": (
        "With 30 digits a support vector machine is more accurate than a network.",
        ("score", "svm", "fnn", "digits", 30), 0.01),
    "few_patients": (
        "With 30 patients ridge regression predicts better than a network.",
        ("score", "linear", "fnn", "diabetes", 30), 0.02),
    "all_digits": (
        "With 1000 digits a convolutional network is more accurate than a support vector machine.",
        ("score", "cnn", "svm"), 0.005),
    "convolutions": (
        "Features of several levels help on images: with 1000 digits a convolutional network is "
        "more accurate than a random forest.", ("score", "cnn", "random_forest"), 0.01),
    "plateau": (
        "The network gains more from 1000 instead of 300 digits than the support vector machine, "
        "which is near its plateau.", ("gain", "cnn", "svm"), 0.005),
    "adult_table": (
        "On a table of 3000 adults boosting is more accurate than a network.",
        ("score", "gradient_boosting", "fnn", "adult"), 0.005),
    "diabetes_table": (
        "A network predicts diabetes better than a linear model, although this is a small table.",
        ("score", "fnn", "linear", "diabetes"), 0.01),
    "tumours_table": (
        "A network tells tumours better than a linear model, although this is a small table.",
        ("score", "fnn", "linear", "breast_cancer"), 0.01),
}  # fmt: skip
_EXACT = {
    "gap": "sum to the difference of outputs that they explain",
    "linear_error": "of a linear model are its weights times the steps",
}

CLAIMS = (
    *(Claim(name, "E1", statement, _pair(*contrast), "more", relevant)
      for name, (statement, contrast, relevant) in _SCORES.items()),
    *(Claim(f"fit_{name}", "E1", f"Fitting a network takes ten times the operations of {what}.",
            _pair("fit_operations", "fnn", name, log=True), "more", math.log(10))
      for name, what in {"random_forest": "a random forest", "svm": "a support vector machine",
                         "linear": "logistic regression"}.items()),
    Claim("predict_svm", "E1",
          "A network predicts with fewer operations than a support vector machine.",
          _pair("predict_operations", "fnn", "svm", log=True), "less", 0.0),
    Claim("size_forest", "E1", "The file of a network is larger than that of a random forest.",
          _pair("bytes", "fnn", "random_forest", log=True), "more", 0.0),
    Claim("size_linear", "E1", "The file of a network is ten times that of a linear model.",
          _pair("bytes", "fnn", "linear", "diabetes", log=True), "more", math.log(10)),
    *(Claim(
        f"rules_cost_{data}", "E1", f"A tree that can be read costs score: on {what} a linear "
        "model is better than a tree of three levels.",
        _pair("score", "linear", "shallow_tree", data), "more", 0.01,
    ) for data, what in _TABLES.items()),
    *(Claim(f"{metric}_{data}", "E1", f"On {what} integrated gradients {statement}, to 1e-6.",
            Value(metric, {"part": "check", "data": data}), "equal", 1e-6, every_seed=True)
      for metric, statement in _EXACT.items() for data, what in _TABLES.items()),
    *(Claim(
        f"explained_{data}", "E1", f"On {what} two explanations of a network rank its features "
        "much alike (Kendall's τ above 0.5).",
        Value("tau", _explained("agreement", "permutation of fnn", data)
              | {"other": "integrated gradients of fnn"}, 0.5), "more", 0.0,
    ) for data, what in _TABLES.items()),
    *(Claim(
        f"steady_{data}", "E1", f"On {what} the coefficients of a linear model change less from "
        "one training set to the next than the explanation of a network.",
        Difference("steadiness", _explained("steadiness", "coefficients of linear", data),
                   _explained("steadiness", "integrated gradients of fnn", data)), "more", 0.05,
    ) for data, what in _TABLES.items()),
)  # fmt: skip

STUDY = Study(
    name="classical_vs_deep",
    lab="feedforward",
    title="Classical models and networks",
    exercises=("E1",),
    question="With how many training rows does a network predict better than classical models, "
    "at what cost, and can both be explained?",
    claims=CLAIMS,
    figures=figures,
    captions={
        "score.svg": "Score on test rows (accuracy; of diabetes R²) over the number of training "
        "rows: mean over seeds with its 95 % interval. Networks have the colour of text.",
        "importances.svg": "Which features the models use, by six explanations: the share of each "
        "feature in the sum over all, mean over seeds, with 100 training rows.",
        "agreement.svg": "How alike two explanations rank the features: Kendall's τ, mean over "
        "seeds; 1 is the same order, 0 no relation. On the diagonal: the same explanation for two "
        "training sets.",
    },
    tables=tables,
    terms=TERMS,
    notes=(
        "Seeds draw training rows, initial weights and random choices of the models; fewer "
        "training rows of a seed are among its further ones. Test rows are the same for all, so "
        "intervals do not cover other test rows. The digits have 8 × 8 pixels, which leave little "
        "room for features of several levels.",
        "Every model has three settings: penalties, depths, neighbours, features per split, "
        "learning rates. For each data set and number of training rows further seeds choose the "
        "one with the best mean score on validation rows. Networks stop early by the same rows, "
        "which are not trained on and are as many for few training rows as for many. Test rows "
        "choose nothing.",
        "Operations are additions, multiplications and comparisons, computed from shapes, "
        "iterations and the rows of nodes: 6 per weight, row and epoch of a network. They leave "
        "out everything of lower order, and the settings that were not chosen. The stage "
        "logs seconds, which are no result here, since no two runs have the same ones.",
        "Sizes are those of a pickle of the scikit-learn model, and of a network's safetensors.",
        "Importances: absolute coefficients of standardised features; impurity as scikit-learn's "
        "trees sum it up; permutation is the fall of R² or AUROC on test rows when a column is "
        "shuffled; integrated gradients are the mean of absolute values over test rows, from the "
        "mean of the training rows. The network has a smooth activation function (SiLU), so that "
        "the quadrature of integrated gradients is exact. Agreement is Kendall's τ of the two "
        "orders of the features; on the diagonal, of the same explanation for the training rows of "
        "two seeds, which have two fifths of their 100 rows in common. Methods differ in how "
        "features with the same information share their importance.",
        "The tumours (Wisconsin) have their ten means as features; the rules predict the share of "
        "benign ones. UCI Adult takes part where `classical_vs_deep.adult` names its file.",
    ),
)
