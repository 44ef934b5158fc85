"""Which features a fitted model uses: importances of several methods, rules, rank agreement."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata
from torch import nn

from plumbline.inference.explanations.integrated_gradients import Attributions, integrated_gradients
from plumbline.studies.feedforward.comparison import networks
from plumbline.studies.feedforward.comparison.classical import LINEAR, SHALLOW
from plumbline.studies.feedforward.comparison.fitted import Fitted, Floats, Split, r_squared

_TREES = (SHALLOW, "decision_tree", "random_forest")


def importances(
    fitted: Mapping[str, Fitted], data: Split, explained: Attributions, repeats: int, seed: int
) -> dict[str, Floats]:
    """Return the importance of each feature by explanation: a method of a model.

    ``explained`` are the integrated gradients of the network on the test rows.

    Coefficients are absolute and of standardised features; impurity is what scikit-learn's trees
    tell of their splits; permutation is the fall of R² or AUROC on the test rows; integrated
    gradients are the mean of their absolute values over the test rows.
    """
    found: dict[str, Floats] = {}
    of = r_squared if not data.classes else auroc
    for name, model in fitted.items():
        if name == LINEAR:
            found[f"coefficients of {name}"] = np.abs(np.ravel(model.model[-1].coef_))
        if name in _TREES:
            found[f"impurity of {name}"] = model.model[-1].feature_importances_
        found[f"permutation of {name}"] = permutation_importance(
            model.outputs, lambda values: of(data.test[1], values), data.test[0],
            repeats=repeats, seed=seed,
        )  # fmt: skip
    found[f"integrated gradients of {networks.FNN}"] = explained.values.abs().mean(0).numpy()
    return found


def permutation_importance(
    outputs: Callable[[Floats], Floats], score: Callable[[Floats], Floats], x: Floats,
    *, repeats: int, seed: int,
) -> Floats:  # fmt: skip
    """Return how far a score falls when one column is shuffled, per column.

    Breiman, "Random forests", Machine Learning 45 (2001), section 10.

    Parameters
    ----------
    outputs : callable
        ``(N, F)`` → ``(N,)``.
    score : callable
        Outputs ``(…, N)`` of the rows of ``x`` → ``(…)``.
    x : array
        ``(N, F)``.
    repeats : int
        Permutations of each column, over which the mean is taken.
    seed : int
    """
    rows, width = x.shape
    rng = np.random.default_rng(seed)
    changed = np.broadcast_to(x, (width, repeats, rows, width)).copy()
    for column in range(width):
        for repeat in range(repeats):
            changed[column, repeat, :, column] = rng.permutation(x[:, column])
    values = outputs(changed.reshape(-1, width)).reshape(width, repeats, rows)
    falls: Floats = score(outputs(x)) - score(values).mean(axis=1)
    return falls


def auroc(codes: npt.NDArray[Any], values: Floats) -> Floats:
    """Return the area under the ROC curve of values ``(…, N)``, by the ranks of the second class.

    Mann and Whitney, Annals of Mathematical Statistics 18 (1947): ties count half.
    """
    positive = codes == 1
    count = positive.sum()
    sums = rankdata(values, axis=-1)[..., positive].sum(axis=-1)
    found: Floats = (sums - count * (count + 1) / 2) / (count * (~positive).sum())
    return found


def attribute(network: nn.Module, x: Floats, *, nodes: int) -> Attributions:
    """Return integrated gradients from the mean of the training rows, in double precision."""
    precise: Any = copy.deepcopy(network).double().eval().requires_grad_(False)
    inputs = torch.from_numpy(np.ascontiguousarray(x))
    return integrated_gradients(
        lambda rows: networks.values(precise, rows), inputs, precise.standardise.mean, nodes=nodes
    )


def linear_error(model: Any, x: Floats) -> float:
    """Return the largest difference of integrated gradients to weight times step.

    Of a linear model with standardised features, from their mean, both are the same.
    """
    scaler, weights = model[0], np.ravel(model[-1].coef_)
    mean, scale, w = (torch.from_numpy(v.copy()) for v in (scaler.mean_, scaler.scale_, weights))
    found = integrated_gradients(
        lambda rows: ((rows - mean) / scale) @ w, torch.from_numpy(x.copy()), mean, nodes=1
    )
    exact = (x - scaler.mean_) / scaler.scale_ * weights
    return float(np.abs(found.values.numpy() - exact).max())


def rules(model: Any, names: tuple[str, ...]) -> Iterator[tuple[str, Floats, int]]:
    """Yield the rule of each leaf of a tree: conditions, its values, and its training rows."""
    tree = model[-1].tree_
    scaler = model[0]

    def descend(node: int, conditions: tuple[str, ...]) -> Iterator[tuple[str, Floats, int]]:
        if tree.children_left[node] < 0:
            text = " and ".join(conditions) or "always"
            yield text, tree.value[node].ravel(), int(tree.n_node_samples[node])
            return
        column = tree.feature[node]
        limit = tree.threshold[node] * scaler.scale_[column] + scaler.mean_[column]
        for child, sign in ((tree.children_left, "≤"), (tree.children_right, ">")):
            condition = f"{names[column]} {sign} {limit:.4g}"
            yield from descend(child[node], (*conditions, condition))

    yield from descend(0, ())
