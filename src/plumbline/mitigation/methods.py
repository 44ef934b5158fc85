"""The mitigation methods by name, and the decisions of postprocessing methods from scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from plumbline import names
from plumbline.artifacts import Decision
from plumbline.metrics.scores import imbalance
from plumbline.mitigation.postprocessing import thresholds
from plumbline.mitigation.postprocessing.equalised_odds import fit_randomized_thresholds
from plumbline.mitigation.problem import Codes, Floats, Problem

# The part of a method that ignores the weights of rows.
UNWEIGHTED = {
    (names.LOGISTIC_REGRESSION, "constraint"): "the fit",
    (names.FNN, "regulariser"): "the penalty",
    (names.FNN, "adversarial"): "the adversary",
}

PREPROCESSING, INPROCESSING, POSTPROCESSING = "preprocessing", "in-processing", "postprocessing"


@dataclass(frozen=True)
class Scores:
    """A model's probabilities of class 1 on validation and test rows, each ``(N,)``.

    ``decision``: the model's threshold; None: it decides for the more probable class.
    """

    val: Floats
    test: Floats
    decision: Decision | None = None

    @property
    def threshold(self) -> float:
        """The probability at which the model selects."""
        return 0.5 if self.decision is None else self.decision.threshold

    @property
    def settings(self) -> dict[str, Any]:
        """The model's threshold as a setting, nothing for 1/2."""
        return {} if self.decision is None else {"threshold": self.decision.threshold}


@dataclass(frozen=True)
class Decided:
    """The decisions of a method on the test rows.

    Attributes
    ----------
    score, decision : arrays, (N,)
        Probability of class 1, and 0 or 1. Decisions need not follow from scores and 1/2.
    settings : dict
        Fitted settings.
    chance : array, (N,), optional
        Of random decisions: the probability that a row is selected, from which all is measured;
        ``decision`` is one draw.
    """

    score: Floats
    decision: Codes
    settings: dict[str, Any] = field(default_factory=dict)
    chance: Floats | None = None

    @property
    def selected(self) -> Floats:
        """How often each row is selected on average, ``(N,)``, in [0, 1]."""
        return self.decision.astype(np.float64) if self.chance is None else self.chance


# (problem, scores of the unmitigated model, strength, seed) → decisions
Decide = Callable[[Problem, Scores, float, int], Decided]


@dataclass(frozen=True)
class Method:
    """A mitigation method: its stage, a description, and whether decisions need the group.

    ``parameter`` describes its strength; empty for a method without one. ``decide`` is the method
    itself where it is postprocessing, else None.
    """

    when: str
    about: str
    needs_group: bool = False
    parameter: str = ""
    decide: Decide | None = None

    @property
    def trains(self) -> bool:
        """Whether a model is trained again."""
        return self.when in (PREPROCESSING, INPROCESSING)


def plain(score: Floats, *, threshold: float = 0.5, **settings: Any) -> Decided:
    """Return the decisions at a threshold."""
    return Decided(score, (score >= threshold).astype(np.int64), settings)


def _group_thresholds(problem: Problem, scores: Scores, strength: float, seed: int) -> Decided:
    start = scores.threshold
    found = thresholds.equal_opportunity_thresholds(problem.val, scores.val, threshold=start)
    cut = start + strength * (found - start)
    named = {g: float(c) for g, c in zip(problem.groups, cut, strict=True)}
    decision = scores.test >= cut[problem.test.group]
    return Decided(scores.test, decision.astype(np.int64), named)


def _equalised_odds(problem: Problem, scores: Scores, strength: float, seed: int) -> Decided:
    val, test = problem.val, problem.test
    fitted = fit_randomized_thresholds(scores.val, val.y, val.group, val.weight)
    chance = fitted(scores.test, test.group)
    drawn = np.random.default_rng(seed).random(len(test)) < chance
    settings = {"false_positive_rate": fitted.fpr, "true_positive_rate": fitted.tpr}
    return Decided(scores.test, drawn.astype(np.int64), settings, chance)


def _group_calibration(problem: Problem, scores: Scores, strength: float, seed: int) -> Decided:
    calibrated = thresholds.calibrate_groups(problem.val, scores.val)
    slopes = {g: float(s) for g, s in zip(problem.groups, calibrated.slope, strict=True)}
    test = calibrated(scores.test, problem.test.group)
    if (decision := scores.decision) is None:
        return plain(test, slope=slopes)
    threshold = decision.threshold
    if decision.chosen_for is not None:  # its rule again, for the calibrated scores
        threshold, _ = imbalance.choose_threshold(
            calibrated(scores.val, problem.val.group),
            problem.val.y == 1,
            metric=decision.chosen_for,
            weights=problem.val.weight,
        )
    settings = {"slope": slopes, "threshold": threshold}
    return replace(plain(test, threshold=threshold), settings=settings)


def _reject_option(problem: Problem, scores: Scores, strength: float, seed: int) -> Decided:
    option = thresholds.fit_reject_option(problem.val, scores.val, threshold=scores.threshold)
    raised = [g for g, up in zip(problem.groups, option.raised, strict=True) if up]
    settings = {"margin": option.margin, "raised": raised, **scores.settings}
    return Decided(scores.test, option(scores.test, problem.test.group), settings)


METHODS: dict[str, Method] = {
    "none": Method("", "the unmitigated model"),
    "reweighing": Method(
        PREPROCESSING, "training rows weighted until label and group are independent"
    ),
    "resampling": Method(
        PREPROCESSING, "training rows drawn until label and group are independent"
    ),
    "constraint": Method(
        INPROCESSING,
        "a randomized mixture of models under equalised odds (exponentiated gradient)",
        parameter="bound on a group's distance from all rows",
    ),
    "regulariser": Method(
        INPROCESSING, "mean logits of groups pulled together within each label", parameter="weight"
    ),
    "group_dro": Method(
        INPROCESSING, "trained for the worst cell of group and label", parameter="step"
    ),
    "adversarial": Method(
        INPROCESSING,
        "an adversary must not read the group from score and label",
        parameter="weight",
    ),
    "group_thresholds": Method(
        POSTPROCESSING,
        "a threshold per group, for equal true positive rates",
        True,
        "share of the way from the threshold of the model",
        _group_thresholds,
    ),
    "equalised_odds": Method(
        POSTPROCESSING,
        "randomized choice between two thresholds per group, for equal error rates",
        True,
        decide=_equalised_odds,
    ),
    "group_calibration": Method(
        POSTPROCESSING, "scores calibrated in each group", True, decide=_group_calibration
    ),
    "reject_option": Method(
        POSTPROCESSING,
        "near the boundary, groups selected less often are selected",
        True,
        decide=_reject_option,
    ),
}


def decide(name: str, problem: Problem, scores: Scores, strength: float, seed: int) -> Decided:
    """Return the decisions of a postprocessing method, from a model's scores.

    Parameters
    ----------
    name : str
        One of `METHODS`; for those of another stage scores are cut at the model's threshold.
    problem : Problem
        Settings are chosen on its validation rows; test labels are not used.
    scores : Scores
        Of any model.
    strength : float
        Value of the method's ``parameter``; of no effect where it has none.
    seed : int
        Of random decisions.
    """
    act = METHODS[name].decide
    if act is None:
        return replace(plain(scores.test, threshold=scores.threshold), settings=scores.settings)
    return act(problem, scores, strength, seed)
