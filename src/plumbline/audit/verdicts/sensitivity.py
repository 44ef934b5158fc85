"""Sensitivity of an audit: the smallest gap that it would have shown in 80 % of samples.

The gap is one between the two groups that the widest gap lies between. It counts as shown if the
simultaneous interval of this pair excludes equality, at the level that the verdict uses: that of
the whole family and of all pairs. So a gap of this size is shown in at least 80 % of samples, in
more where a third group lies far enough from one of the two. One pair for each gap is looked at,
however many groups an attribute has.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plumbline import names
from plumbline.audit.gaps import Gap, Sides
from plumbline.metrics.intervals import power, proportions

POWER = 0.8
# Values in [0, 1] that are no shares of counted rows: no gap of theirs is above 1.
_BOUNDED = (names.AUROC, names.BALANCED_ACCURACY)


def detectable(gaps: Sequence[Gap]) -> list[float]:
    """Return for each gap the smallest one that is shown with probability `POWER`.

    Of a ratio, the largest one below 1 that is shown; NaN where the lower value had to be 0, which
    shows at some levels only. NaN where not even the widest gap is shown, and where the gap is
    undefined.
    """
    found = [float("nan")] * len(gaps)
    by_level: dict[float, list[int]] = {}
    for place, gap in enumerate(gaps):
        if not np.isnan(gap.sides.effective).any():
            by_level.setdefault(gap.sides.level, []).append(place)
        else:
            found[place] = _normal(gap)
    for level, places in by_level.items():
        for place, value in zip(places, _of_shares([gaps[i] for i in places], level), strict=True):
            found[place] = value
    return found


def _of_shares(gaps: list[Gap], level: float) -> list[float]:
    sides = [gap.sides for gap in gaps]
    known = {one: i for i, one in enumerate(dict.fromkeys(sides))}  # differences and ratios
    value, size = (
        np.array([getattr(one, name) for one in known]) for name in ("value", "effective")
    )
    hits = np.nan_to_num(value) * size
    apart, lower = power.detectable_difference(
        (hits[:, 0], size[:, 0]), (hits[:, 1], size[:, 1]), confidence=level, power=POWER
    )
    ratio = np.where(lower > 0, lower / (lower + apart), np.nan)
    return [
        float((ratio if gap.comparison == "ratio" else apart)[known[gap.sides]]) for gap in gaps
    ]


def _normal(gap: Gap) -> float:
    z = proportions.critical_value(gap.sides.level)
    spread = np.array(gap.sides.toward) / z
    apart = float(
        power.detectable_normal(np.hypot(*spread), confidence=gap.sides.level, power=POWER)
    )
    if apart == 0 or (gap.metric.partition("/")[0] in _BOUNDED and apart > 1):
        return float("nan")  # values without a spread say nothing about those of other samples
    return _ratio(gap.sides, spread, apart) if gap.comparison == "ratio" else apart


def _ratio(sides: Sides, spread: np.ndarray, apart: float) -> float:
    """Return the ratio of two values that lie ``apart`` around their precision-weighted mean.

    NaN where the lower one would not be above 0.
    """
    square = spread**2
    whole = square.sum()
    part = square[0] / whole if whole > 0 else 0.5
    middle = sides.value[0] * (1 - part) + sides.value[1] * part
    lower = middle - part * apart
    return lower / (lower + apart) if lower > 0 else float("nan")
