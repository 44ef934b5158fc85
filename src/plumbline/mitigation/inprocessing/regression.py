"""The mitigation methods on a logistic regression."""

from __future__ import annotations

from typing import Any

import numpy as np

from plumbline.mitigation.inprocessing import objectives
from plumbline.mitigation.inprocessing.linear import fit_scores
from plumbline.mitigation.methods import METHODS, Decided, Scores, decide, plain
from plumbline.mitigation.preprocessing import weights
from plumbline.mitigation.problem import Problem


def fit_regression(
    name: str, problem: Problem, *, strength: float, rounds: int, seed: int
) -> Decided:
    """Return the decisions of a logistic regression under one of `METHODS`.

    Parameters
    ----------
    name : str
    problem : Problem
    strength : float
        See ``Method.parameter``.
    rounds : int
        Of group DRO and of the adversary.
    seed : int
        Of random decisions and draws.
    """
    if METHODS[name].decide is not None:
        fitted = fit_scores(problem.train)
        scores = Scores(fitted(problem.val.x), fitted(problem.test.x))
        return decide(name, problem, scores, strength, seed)
    train, test = problem.train, problem.test
    if name == "constraint":
        mixture = objectives.fit_constraint(train, bound=strength)
        drawn = np.asarray(mixture.predict(test.x, random_state=seed), dtype=np.int64)
        models = int((mixture.weights_ > 0).sum())
        chance = objectives.mixture_chances(mixture, test.x)
        score = objectives.mixture_scores(mixture, test.x)
        return Decided(score, drawn, {"models": models}, chance)
    settings: dict[str, Any] = {}
    if name == "reweighing":
        factor = weights.independence_weights(train)
        settings = weights.plan_settings(len(train), {"weight": factor})
        scored = fit_scores(train, factor)
    elif name == "resampling":
        drawn = weights.independent_draw(train, seed=seed)
        settings = weights.plan_settings(len(train), {"drawn": drawn})
        scored = fit_scores(train.take(drawn))
    elif name == "regulariser":
        scored = objectives.fit_regulariser(train, weight=strength)
    elif name == "group_dro":
        scored = objectives.fit_group_dro(train, step=strength, rounds=rounds)
    elif name == "adversarial":
        scored = objectives.fit_adversarial(train, weight=strength, rounds=rounds)
    else:
        scored = fit_scores(train)
    return plain(scored(test.x), **settings)
