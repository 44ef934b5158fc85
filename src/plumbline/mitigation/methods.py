"""Every method by name: from a problem to decisions and scores on its test rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plumbline.mitigation import after, before, during
from plumbline.mitigation.equalised_odds import fit_lots
from plumbline.mitigation.linear import fit_scores
from plumbline.mitigation.problem import Codes, Floats, Problem

BEFORE, IN, AFTER = "before training", "in training", "after training"


@dataclass(frozen=True)
class Strengths:
    """How hard the methods pull; see ``mitigate`` in ``params.yaml``."""

    constraint_bound: float
    regulariser_weight: float
    dro_step: float
    adversary_weight: float
    rounds: int


@dataclass(frozen=True)
class Decided:
    """What a method says of the test rows.

    Attributes
    ----------
    score, decision : arrays, (N,)
        Probability of class 1, and 0 or 1. Decisions need not follow from scores and 1/2.
    settings : dict
        What the fit found.
    """

    score: Floats
    decision: Codes
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A method: when it acts, in words what it does, and whether decisions need the group."""

    when: str
    about: str
    needs_group: bool
    fit: Callable[[Problem, Strengths, int], Decided]


def _plain(score: Floats, **settings: Any) -> Decided:
    return Decided(score, (score >= 0.5).astype(np.int64), settings)


def _none(problem: Problem, strengths: Strengths, seed: int) -> Decided:
    return _plain(fit_scores(problem.train)(problem.test.x))


def _reweighing(problem: Problem, strengths: Strengths, seed: int) -> Decided:
    weight = before.independence_weights(problem.train)
    return _plain(
        fit_scores(problem.train, weight)(problem.test.x),
        least=float(weight.min()),
        most=float(weight.max()),
    )


def _resampling(problem: Problem, strengths: Strengths, seed: int) -> Decided:
    drawn = before.independent_sample(problem.train, seed=seed)
    return _plain(fit_scores(drawn)(problem.test.x), rows=len(drawn))


def _constraint(problem: Problem, strengths: Strengths, seed: int) -> Decided:
    fitted = during.fit_constraint(problem.train, bound=strengths.constraint_bound)
    drawn = fitted.predict(problem.test.x, random_state=seed)
    models = int((fitted.weights_ > 0).sum())
    score = during.mixture_scores(fitted, problem.test.x)
    return Decided(score, np.asarray(drawn, dtype=np.int64), {"models": models})


def _regulariser(problem: Problem, strengths: Strengths, seed: int) -> Decided:
    fitted = during.fit_regulariser(problem.train, weight=strengths.regulariser_weight)
    return _plain(fitted(problem.test.x))


def _group_dro(problem: Problem, strengths: Strengths, seed: int) -> Decided:
    fitted = during.fit_group_dro(problem.train, step=strengths.dro_step, rounds=strengths.rounds)
    return _plain(fitted(problem.test.x))


def _adversarial(problem: Problem, strengths: Strengths, seed: int) -> Decided:
    fitted = during.fit_adversarial(
        problem.train, weight=strengths.adversary_weight, rounds=strengths.rounds
    )
    return _plain(fitted(problem.test.x))


def _group_thresholds(problem: Problem, strengths: Strengths, seed: int) -> Decided:
    scores, test = fit_scores(problem.train), problem.test
    cut = after.equal_opportunity_thresholds(problem.val, scores(problem.val.x))
    score = scores(test.x)
    named = {g: float(c) for g, c in zip(problem.groups, cut, strict=True)}
    return Decided(score, (score >= cut[test.group]).astype(np.int64), named)


def _equalised_odds(problem: Problem, strengths: Strengths, seed: int) -> Decided:
    scores, val, test = fit_scores(problem.train), problem.val, problem.test
    lots = fit_lots(scores(val.x), val.y, val.group)
    score = scores(test.x)
    drawn = np.random.default_rng(seed).random(len(test)) < lots(score, test.group)
    return Decided(score, drawn.astype(np.int64))


def _group_calibration(problem: Problem, strengths: Strengths, seed: int) -> Decided:
    scores, test = fit_scores(problem.train), problem.test
    calibrated = after.calibrate_groups(problem.val, scores(problem.val.x))
    slopes = {g: float(s) for g, s in zip(problem.groups, calibrated.slope, strict=True)}
    return _plain(calibrated(scores(test.x), test.group), slope=slopes)


def _reject_option(problem: Problem, strengths: Strengths, seed: int) -> Decided:
    scores, test = fit_scores(problem.train), problem.test
    option = after.fit_reject_option(problem.val, scores(problem.val.x))
    score = scores(test.x)
    raised = [g for g, up in zip(problem.groups, option.raised, strict=True) if up]
    settings = {"margin": option.margin, "raised": raised}
    return Decided(score, option(score, test.group), settings)


def plain_decisions(problem: Problem) -> Codes:
    """Return what is decided where nothing is done."""
    return np.asarray(fit_scores(problem.train)(problem.test.x) >= 0.5, dtype=np.int64)


METHODS: dict[str, Method] = {
    "none": Method("", "logistic regression as it is", False, _none),
    "reweighing": Method(
        BEFORE, "training rows weighted until label and group are independent", False, _reweighing
    ),
    "resampling": Method(
        BEFORE, "training rows drawn until label and group are independent", False, _resampling
    ),
    "constraint": Method(
        IN, "a lottery of models under equalised odds (exponentiated gradient)", False, _constraint
    ),
    "regulariser": Method(
        IN, "mean logits of groups pulled together within each label", False, _regulariser
    ),
    "group_dro": Method(IN, "trained for the worst cell of group and label", False, _group_dro),
    "adversarial": Method(
        IN, "an adversary must not read the group from score and label", False, _adversarial
    ),
    "group_thresholds": Method(
        AFTER, "a threshold per group, for equal true positive rates", True, _group_thresholds
    ),
    "equalised_odds": Method(
        AFTER, "lots between two thresholds per group, for equal error rates", True, _equalised_odds
    ),
    "group_calibration": Method(AFTER, "scores calibrated in each group", True, _group_calibration),
    "reject_option": Method(
        AFTER, "near the boundary, groups selected less often are selected", True, _reject_option
    ),
}
