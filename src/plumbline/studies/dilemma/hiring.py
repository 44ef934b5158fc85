"""The hiring tool that is right for 85 % of all candidates and for 70 % of a minority.

Scores of the qualified and the unqualified of a group are normal with one variance (the binormal
model, D. M. Green and J. A. Swets, "Signal Detection Theory and Psychophysics", 1966) and d apart.
Cut half-way, true positive and true negative rate are both Φ(d / 2), the accuracy, whatever the
share of qualified. A threshold elsewhere moves errors from one kind to the other; only a larger d,
which takes better data, removes any.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

from plumbline.errors import MetricError
from plumbline.metrics.intervals import shares

MAJORITY, MINORITY = "majority", "minority"
USE, LOT, THRESHOLDS, EQUAL_ODDS = "a", "b", "c", "c, both errors equal"
STEPS = 20  # points of the curve between a and c

_NORMAL = NormalDist()


def hiring_options(
    *,
    overall_accuracy: float,
    minority_accuracy: float,
    minority_share: float,
    qualified_share: float,
    candidates: int,
    confidence: float,
) -> dict[str, Any]:
    """Return what each option does to the candidates of both groups.

    Parameters
    ----------
    overall_accuracy, minority_accuracy : float
        Of the tool, in (0.5, 1).
    minority_share, qualified_share : float
        In (0, 1); the share of qualified is the same in both groups.
    candidates : int
        Counts are of so many; intervals are those of a trial with so many.
    confidence : float

    Returns
    -------
    dict
        ``majority_accuracy``; ``options``: ``option, accuracy, gap`` (true positive rate, majority
        minus minority), each with interval, and ``groups`` of ``group, n, accuracy, tpr, fpr, ppv,
        qualified_rejected, unqualified_hired``; ``curve``: accuracy and gap while the minority's
        threshold moves from option a to c.

    Raises
    ------
    MetricError
        If no accuracy of the majority in (0.5, 1) agrees with the other two.
    """
    majority = (overall_accuracy - minority_share * minority_accuracy) / (1 - minority_share)
    if not 0.5 < majority < 1:
        raise MetricError(
            f"dilemma: accuracy of the majority must be in (0.5, 1), got {majority:.4g} from "
            f"{overall_accuracy:g} of all and {minority_accuracy:g} of a {minority_share:g} "
            "minority"
        )
    accuracies = {MAJORITY: majority, MINORITY: minority_accuracy}
    sizes = {MAJORITY: candidates * (1 - minority_share), MINORITY: candidates * minority_share}
    distance = {group: 2 * _NORMAL.inv_cdf(value) for group, value in accuracies.items()}

    def outcome(option: str, rates: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
        groups = [_group(g, sizes[g], qualified_share, *rates[g]) for g in accuracies]
        return {"option": option, **_together(groups, confidence), "groups": groups}

    cut = {group: _rates(value, 0.0) for group, value in distance.items()}
    wanted = cut[MAJORITY][0]  # the rate at which the majority's qualified are hired
    farthest = distance[MINORITY] / 2 - _NORMAL.inv_cdf(wanted)
    hired = sum(sizes[g] * _hire_rate(cut[g], qualified_share) for g in sizes) / candidates
    level = cut[MINORITY]  # the majority's curve lies above: its errors can be raised to these
    options = [
        outcome(USE, cut),
        outcome(LOT, dict.fromkeys(accuracies, (hired, hired))),
        outcome(THRESHOLDS, {**cut, MINORITY: _rates(distance[MINORITY], farthest)}),
        outcome(EQUAL_ODDS, dict.fromkeys(accuracies, level)),
    ]
    curve = []
    for step in range(STEPS + 1):
        moved = {**cut, MINORITY: _rates(distance[MINORITY], farthest * step / STEPS)}
        point = outcome(THRESHOLDS, moved)
        curve.append({"accuracy": point["accuracy"]["value"], "gap": point["gap"]["value"]})
    return {
        "majority_accuracy": majority,
        "options": options,
        "curve": curve,
        "candidates": candidates,
    }


def _rates(distance: float, threshold: float) -> tuple[float, float]:
    """Return true and false positive rate of a threshold; 0 is half-way."""
    return _NORMAL.cdf(distance / 2 - threshold), _NORMAL.cdf(-distance / 2 - threshold)


def _hire_rate(rates: tuple[float, float], qualified: float) -> float:
    return qualified * rates[0] + (1 - qualified) * rates[1]


def _group(group: str, n: float, qualified: float, tpr: float, fpr: float) -> dict[str, Any]:
    hired = _hire_rate((tpr, fpr), qualified)
    return {
        "group": group,
        "n": n,
        "qualified": n * qualified,
        "accuracy": qualified * tpr + (1 - qualified) * (1 - fpr),
        "tpr": tpr,
        "fpr": fpr,
        "ppv": qualified * tpr / hired if hired else None,
        "qualified_rejected": n * qualified * (1 - tpr),
        "unqualified_hired": n * (1 - qualified) * fpr,
    }


def _together(groups: list[dict[str, Any]], confidence: float) -> dict[str, Any]:
    total = sum(group["n"] for group in groups)
    right = sum(group["n"] * group["accuracy"] for group in groups)
    low, high = shares.share_interval(right, total, confidence=confidence)
    majority, minority = ((g["tpr"] * g["qualified"], g["qualified"]) for g in groups)
    ends = shares.difference_interval(majority, minority, confidence=confidence)
    return {
        "accuracy": {"value": right / total, "low": float(low), "high": float(high)},
        "gap": {
            "value": groups[0]["tpr"] - groups[1]["tpr"],
            "low": float(ends[0]),
            "high": float(ends[1]),
        },
    }
