"""In training: the objective itself knows the groups. Full batches, no random draw.

All of them look at groups within each label, so what they move together are error rates
(equalised odds: M. Hardt, E. Price and N. Srebro, NeurIPS 2016).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.errors import TrainingError
from plumbline.mitigation.inprocessing.linear import (
    STRENGTH,
    cells,
    estimator,
    log_loss,
    sigmoid,
    with_intercept,
)
from plumbline.mitigation.problem import Floats, Rows

Scores = Callable[[Floats], Floats]


def fit_constraint(rows: Rows, *, bound: float) -> Any:
    """Return fairlearn's exponentiated gradient under equalised odds.

    ``bound`` is on how far each group's true and false positive rate may be from those of all
    training rows. fairlearn's constraints know no weights: each row counts once. The fitted object
    is a lottery over linear models: ``predict(x, random_state=…)`` draws one per row. A. Agarwal et
    al., "A reductions approach to fair classification", ICML 2018.
    """
    from fairlearn.reductions import EqualizedOdds, ExponentiatedGradient

    fitted = ExponentiatedGradient(estimator(), EqualizedOdds(difference_bound=bound), max_iter=30)
    with warnings.catch_warnings():
        # fairlearn 0.15 builds its tables in a way that pandas 3 only warns of.
        warnings.filterwarnings("ignore", "Setting an? (value|item)", DeprecationWarning)
        return fitted.fit(rows.x, rows.y, sensitive_features=rows.group)


def mixture_scores(fitted: Any, x: Floats) -> Floats:
    """Return the mean probability of the models of a lottery, weighted by their chances."""
    found = np.zeros(len(x))
    for weight, model in zip(fitted.weights_, fitted.predictors_, strict=True):
        if weight > 0:
            found += weight * model.predict_proba(x)[:, 1]
    return np.clip(found, 0, 1)


def mixture_chances(fitted: Any, x: Floats) -> Floats:
    """Return the probability that a lottery's random model selects each row, ``(N,)``."""
    found = np.zeros(len(x))
    for weight, model in zip(fitted.weights_, fitted.predictors_, strict=True):
        if weight > 0:
            found += weight * model.predict(x)
    return np.clip(found, 0, 1)


def fit_regulariser(rows: Rows, *, weight: float) -> Scores:
    """Return a logistic regression whose mean logits are pulled together within each label.

    Mean logistic loss, of rows by their weights, plus ``weight`` times the sum, over labels and
    groups, of the squared distance of the group's mean logit from the label's: convex (R. Berk et
    al., "A convex framework for fair regression", 2017, group penalty).
    """
    from scipy.optimize import minimize

    x, cell, own = with_intercept(rows.x), cells(rows), rows.weight
    whole = own.sum()

    def centre(of: npt.NDArray[np.bool_]) -> Floats:
        found: Floats = (own[of, None] * x[of]).sum(axis=0) / own[of].sum()
        return found

    spread = np.stack(
        [centre(cell == code) - centre(rows.y == code % 2) for code in np.unique(cell)]
    )

    def objective(w: Floats) -> tuple[float, Floats]:
        z, apart = x @ w, spread @ w
        ridge = np.append(0.0, w[1:]) / (STRENGTH * whole)
        loss = (own * log_loss(z, rows.y)).sum() / whole
        value = loss + weight * apart @ apart + ridge @ w / 2
        pull = own * (sigmoid(z) - rows.y)
        slope = x.T @ pull / whole + 2 * weight * spread.T @ apart + ridge
        return float(value), slope

    done = minimize(objective, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B")
    return _scores(done.x, "regulariser")


def fit_group_dro(rows: Rows, *, step: float, rounds: int) -> Scores:
    """Return a logistic regression trained for the worst of the cells of group and label.

    S. Sagawa et al., "Distributionally robust neural networks for group shifts", ICLR 2020,
    algorithm 1 with full batches: the weight of a cell grows by ``exp(step · its loss)``.
    """
    x, cell = with_intercept(rows.x), cells(rows)
    found, member = np.unique(cell, return_inverse=True)
    size = np.bincount(member, rows.weight)
    q, w = np.full(len(found), 1 / len(found)), np.zeros(x.shape[1])
    rate, whole = _rate(x, rows.weight), rows.weight.sum()
    for _ in range(rounds):
        z = x @ w
        losses = np.bincount(member, rows.weight * log_loss(z, rows.y)) / size
        q = q * np.exp(step * (losses - losses.max()))
        q /= q.sum()
        pull = (q / size)[member] * rows.weight * (sigmoid(z) - rows.y)
        w -= rate * (x.T @ pull + np.append(0.0, w[1:]) / (STRENGTH * whole))
    return _scores(w, "group_dro")


def fit_adversarial(rows: Rows, *, weight: float, rounds: int) -> Scores:
    """Return a logistic regression that an adversary can read the group from less well.

    B. H. Zhang, B. Lemoine and M. Mitchell, "Mitigating unwanted biases with adversarial
    learning", AIES 2018: the adversary, a softmax regression, sees logit and label (equalised
    odds); the model's step leaves out what would help it and adds ``weight`` times what harms it.
    Steps shrink as 1 / sqrt(round), as the authors do.
    """
    x, groups = with_intercept(rows.x), int(rows.group.max()) + 1
    share = np.eye(groups)[rows.group]
    weights, whole = rows.weight, rows.weight.sum()
    w, u, rate = np.zeros(x.shape[1]), np.zeros((4, groups)), _rate(x, weights)
    for number in range(1, rounds + 1):
        z = x @ w
        seen = np.column_stack([np.ones(len(z)), z, rows.y, z * rows.y])
        logits = seen @ u
        chances = np.exp(logits - logits.max(axis=1, keepdims=True))
        wrong = chances / chances.sum(axis=1, keepdims=True) - share
        own = x.T @ (weights * (sigmoid(z) - rows.y)) / whole
        own += np.append(0.0, w[1:]) / (STRENGTH * whole)
        through = (wrong * (u[1] + rows.y[:, None] * u[3])).sum(axis=1)
        other = x.T @ (weights * through) / whole
        length = float(other @ other)
        along = (own @ other) / length * other if length > 1e-12 else 0.0
        pace = rate / np.sqrt(number)
        w -= 10 * pace * (own - along - weight * other)
        u -= _rate(seen, weights) * seen.T @ (weights[:, None] * wrong) / whole
    return _scores(w, "adversarial")


def _rate(x: Floats, weight: Floats) -> float:
    """Return the step below which gradient descent on a mean logistic loss cannot rise."""
    x = np.sqrt(weight)[:, None] * x
    largest = float(np.linalg.eigvalsh(x.T @ x / weight.sum())[-1])
    return 4 / largest


def _scores(w: Floats, where: str) -> Scores:
    if not np.isfinite(w).all():
        raise TrainingError(f"{where}: weights must be finite, got {w}; choose a smaller step")
    return lambda x: sigmoid(with_intercept(x) @ w)
