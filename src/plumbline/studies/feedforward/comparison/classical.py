"""Fit classical models, and count what they cost.

Operations are additions, multiplications and comparisons of numbers, from shapes and from what the
fit counted itself (iterations, rows of each node). They leave out standardisation and everything
that grows more slowly, so that they tell orders of magnitude. Seconds would differ on every run.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn import ensemble, linear_model, neighbors, svm, tree
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from plumbline.studies.feedforward.comparison.fitted import Fitted, Floats, Ints, Split

LINEAR, SHALLOW = "linear", "shallow_tree"

# Three settings of each model, from the most restricted to the most flexible one.
GRIDS: dict[str, tuple[dict[str, Any], ...]] = {
    LINEAR: ({"C": 0.01}, {"C": 0.1}, {"C": 1.0}),
    SHALLOW: ({"max_depth": 1}, {"max_depth": 2}, {"max_depth": 3}),
    "decision_tree": ({"max_depth": 3}, {"max_depth": 6}, {"max_depth": 12}),
    "nearest_neighbours": ({"n_neighbors": 9}, {"n_neighbors": 3}, {"n_neighbors": 1}),
    "svm": ({"C": 0.3}, {"C": 3.0}, {"C": 30.0}),
    "random_forest": ({"max_features": 0.1}, {"max_features": 0.2}, {"max_features": 0.4}),
    "gradient_boosting": ({"learning_rate": 0.03}, {"learning_rate": 0.1}, {"learning_rate": 0.3}),
}


def fit(
    name: str, setting: Mapping[str, Any], data: Split, draws: Sequence[Ints], options: Any,
    seeds: Sequence[int],
) -> list[Fitted]:  # fmt: skip
    """Return a classical model for each seed.

    Parameters
    ----------
    name : str
        Key of `GRIDS`.
    setting : mapping
        One of its values.
    data : Split
    draws : sequence of arrays
        Numbers of the training rows of each seed in ``data.rest``.
    options : ClassicalVsDeepParams
    seeds : sequence of int
        Of models that draw random numbers.
    """
    found = []
    for drawn, seed in zip(draws, seeds, strict=True):
        x, y = (part[drawn] for part in data.rest)
        started = time.perf_counter()
        model = _build(name, setting, data, options, seed).fit(x, y)
        seconds = time.perf_counter() - started
        found.append(Fitted(
            _outputs(model, data.classes), model.predict, len(pickle.dumps(model, protocol=5)),
            *operations(model[-1], *x.shape), seconds, model,
        ))  # fmt: skip
    return found


def operations(model: Any, rows: int, width: int) -> tuple[float, float]:
    """Return the operations of a fit, and of a prediction for one row.

    A linear model takes 2 per weight and row forwards and as many backwards, per iteration; ridge
    regression solves the normal equations. Trees sort the features of each node. Boosting adds two
    numbers per row and feature of each node to histograms. Nearest neighbours compare with every
    row, support vector machines (of each pair of classes) with the rows that their steps touch.
    """
    for kinds, count in _COSTS.items():
        if isinstance(model, kinds):
            return count(model, rows, width)
    raise TypeError(f"operations: model must be of a known kind, got {type(model).__name__}")


def _linear(model: Any, rows: int, width: int) -> tuple[float, float]:
    steps = int(np.max(model.n_iter_))
    return 4.0 * steps * rows * model.coef_.size, 2.0 * model.coef_.size


def _ridge(_: Any, rows: int, width: int) -> tuple[float, float]:
    small, large = sorted((rows, width))
    return 2.0 * large * small**2 + small**3 / 3, 2.0 * width


def _tree(model: Any, rows: int, width: int) -> tuple[float, float]:
    inner = model.tree_.n_node_samples[model.tree_.children_left >= 0].astype(float)
    sorting = float((inner * np.log2(inner)).sum())
    return sorting * model.max_features_, float(inner.sum()) / rows


def _forest(model: Any, rows: int, width: int) -> tuple[float, float]:
    each = [_tree(one, rows, width) for one in model.estimators_]
    return sum(fit for fit, _ in each), sum(row for _, row in each)


def _boosting(model: Any, rows: int, width: int) -> tuple[float, float]:
    nodes = [one.nodes for of_step in model._predictors for one in of_step]
    inner = float(sum(each["count"][each["is_leaf"] == 0].sum() for each in nodes))
    return 2 * inner * width, inner / rows


def _neighbours(_: Any, rows: int, width: int) -> tuple[float, float]:
    return 0.0, 3.0 * rows * width


def _vectors(model: Any, rows: int, width: int) -> tuple[float, float]:
    pairs = np.atleast_1d(model.n_iter_).astype(float)
    each = rows / max(1, (1 + np.sqrt(1 + 8 * len(pairs))) / 4)  # rows of two of the K classes
    columns = np.minimum(2 * pairs, each)  # of the kernel: a step takes two, and keeps them
    fit = float((columns * each * 3 * width + pairs * each * 4).sum())
    return fit, 3.0 * width * len(model.support_)


_Cost = Callable[[Any, int, int], tuple[float, float]]
_COSTS: Mapping[Any, _Cost] = {
    linear_model.LogisticRegression: _linear,
    linear_model.Ridge: _ridge,
    tree.BaseDecisionTree: _tree,
    (ensemble.RandomForestClassifier, ensemble.RandomForestRegressor): _forest,
    (
        ensemble.HistGradientBoostingClassifier,
        ensemble.HistGradientBoostingRegressor,
    ): _boosting,
    (neighbors.KNeighborsClassifier, neighbors.KNeighborsRegressor): _neighbours,
    (svm.SVC, svm.SVR): _vectors,
}


def _build(name: str, setting: Mapping[str, Any], data: Split, options: Any, seed: int) -> Any:
    kind = "Classifier" if data.classes else "Regressor"
    if name == LINEAR:
        model = (
            linear_model.LogisticRegression(**setting, max_iter=1000)
            if data.classes
            else linear_model.Ridge(alpha=1 / setting["C"])
        )
    elif name == "nearest_neighbours":
        model = getattr(neighbors, f"KNeighbors{kind}")(**setting, algorithm="brute")
    elif name == "svm":
        model = (svm.SVC if data.classes else svm.SVR)(**setting)
    elif name == "random_forest":
        model = getattr(ensemble, f"RandomForest{kind}")(
            **setting, n_estimators=options.trees, random_state=seed
        )
    elif name == "gradient_boosting":
        model = getattr(ensemble, f"HistGradientBoosting{kind}")(
            **setting, max_iter=options.rounds, max_leaf_nodes=4, min_samples_leaf=3,
            early_stopping=False, random_state=seed,
        )  # fmt: skip
    else:
        model = getattr(tree, f"DecisionTree{kind}")(**setting, random_state=seed)
    return make_pipeline(StandardScaler() if data.standardise else "passthrough", model)


def _outputs(model: Any, classes: int) -> Callable[[Floats], Floats]:
    if not classes:
        return lambda x: np.asarray(model.predict(x), dtype=np.float64)
    if hasattr(model, "decision_function"):
        return lambda x: np.asarray(model.decision_function(x), dtype=np.float64)
    return lambda x: np.asarray(model.predict_proba(x)[:, -1], dtype=np.float64)
