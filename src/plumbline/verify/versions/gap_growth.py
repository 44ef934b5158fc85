"""Growth of group gaps from one version of a model to another, on the same test rows.

Two intervals that overlap do not tell whether a gap grew: both gaps are about the same rows. Rows
(entities, where rows belong to some) are therefore resampled once for both versions, which is the
paired bootstrap; the gap of each replicate is that between its highest and its lowest group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.audit.options import RATIO, AuditOptions
from plumbline.metrics.comparison.rows import matched
from plumbline.metrics.groups.confusions import combinations
from plumbline.metrics.groups.rates import RATES, combination_groups
from plumbline.metrics.intervals import proportions
from plumbline.metrics.intervals.survey_design import Design

Floats = npt.NDArray[np.float64]
_MOST_CELLS = 2 * 10**8  # replicates times cells that are held at once


@dataclass(frozen=True)
class Growth:
    """A gap in two versions.

    Attributes
    ----------
    attribute, metric, comparison : str
        As in an audit.
    before, after : float
        Of the audits: highest minus lowest group, or lowest over highest.
    value : float
        By how much the gap grew; a ratio's distance from 1 grows.
    low, high : float or None
        Simultaneous paired interval of it; None where there is none.
    margin : float
        See `AuditOptions.margin`.
    """

    attribute: str
    metric: str
    comparison: str
    before: float
    after: float
    value: float
    low: float | None
    high: float | None
    margin: float

    @property
    def name(self) -> str:
        """Name of the gap, e.g. ``selection_rate difference by sex``."""
        return f"{self.metric} {self.comparison} by {self.attribute}"

    @property
    def is_beyond(self) -> bool:
        """Whether the gap grows beyond its margin.

        It is then larger than the margin, and either its growth is shown (the interval is above 0)
        or the growth alone is larger than the margin.
        """
        margin = 1 - self.margin if self.comparison == RATIO else self.margin
        shown = self.low is not None and self.low > 0
        return size(self.after, self.comparison) > margin and (shown or self.value > margin)

    @property
    def verdict(self) -> str:
        """Say in words whether the gap grows."""
        if self.is_beyond:
            return "grows beyond the margin"
        if self.low is None or self.high is None:
            return "no interval"
        if self.low > 0:
            return "grows, within the margin"
        return "within noise" if self.high >= 0 else "smaller"


def size(value: float, comparison: str) -> float:
    """Return how far a gap is from equality: of a ratio ``1 - ratio``, whichever way it is turned.

    Examples
    --------
    >>> size(-0.25, "difference"), size(0.75, "ratio"), size(4.0, "ratio")
    (0.25, 0.25, 0.75)
    """
    if comparison != RATIO:
        return abs(value)
    return 1 - (min(value, 1 / value) if value > 0 else 0.0)


def growths(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    tables: tuple[Predictions, Predictions] | None,
    options: AuditOptions,
) -> tuple[list[Growth], list[str]]:
    """Return the growth of every gap with a margin, and the names of those not comparable.

    Parameters
    ----------
    before, after : mapping
        Audits of the two versions.
    tables : tuple of Predictions, optional
        Their predictions of the same rows. Rates of decisions get intervals from them.
    options : AuditOptions
        Margins, confidence, replicates and seed.

    Returns
    -------
    growths : list of Growth
        Largest growth first.
    left_out : list of str
        Gaps that one of the audits lacks, or that are insufficient in one.
    """
    sides = [{_key(gap): gap for gap in audit.get("gaps", [])} for audit in (before, after)]
    pairs, left_out = {}, []
    for key in {**sides[0], **sides[1]}:
        found, margin = [side.get(key) for side in sides], options.margin(key[1], key[2])
        if margin is None:
            continue
        if any(gap is None or gap["value"] is None for gap in found) or any(
            gap["verdict"] == names.INSUFFICIENT for gap in found if gap
        ):
            left_out.append(f"{key[1]} {key[2]} by {key[0]}")
        else:
            pairs[key] = [float(gap["value"]) for gap in found if gap], margin
    intervals = _intervals(list(pairs), (before, after), tables, options) if tables else {}
    made = []
    for key, ((first, second), margin) in pairs.items():
        value = size(second, key[2]) - size(first, key[2])
        low, high = intervals.get(key, (None, None))
        made.append(Growth(*key, first, second, value, low, high, margin))
    return sorted(made, key=lambda one: -one.value), left_out


Key = tuple[str, str, str]


def _key(gap: Mapping[str, Any]) -> Key:
    return gap["attribute"], gap["metric"], gap["comparison"]


def _intervals(
    keys: Sequence[Key],
    audits: tuple[Mapping[str, Any], Mapping[str, Any]],
    tables: tuple[Predictions, Predictions],
    options: AuditOptions,
) -> dict[Key, tuple[float, float]]:
    """Return Bonferroni's simultaneous intervals of the growth of gaps in rates of decisions."""
    of_rates = [key for key in keys if key[1].partition("/")[0] in RATES]
    if not of_rates or tables[0].kind != names.CLASSIFICATION:
        return {}
    rows = _PairedRows(tables, options)
    level = 1 - (1 - options.confidence) / len(of_rates)
    level = proportions.expanded(level, rows.units)
    found = {}
    for key in of_rates:
        many = rows.growth(key, _compared_groups(audits, key))
        low, high = proportions.percentile(many, confidence=level)
        if np.isfinite([low, high]).all():
            found[key] = low, high
    return found


def _compared_groups(
    audits: tuple[Mapping[str, Any], Mapping[str, Any]], key: Key
) -> frozenset[str]:
    """Return the groups of which both audits have enough cases."""
    return frozenset.intersection(
        *(
            frozenset(
                row["group"]
                for row in audit["rows"]
                if (row["attribute"], row["metric"]) == key[:2]
                and row["verdict"] not in (None, names.INSUFFICIENT)
            )
            for audit in audits
        )
    )


class _PairedRows:
    """The rows of two versions, counted by groups, label and both decisions, and resampled."""

    def __init__(self, tables: tuple[Predictions, Predictions], options: AuditOptions) -> None:
        first, second = matched(tables)
        self._predictions = first
        every = np.ones(len(first.table), dtype=bool)
        design = Design.of(first.weights(every), first.entities(every))
        self.units = design.count(len(first.table))
        names_of = combinations(first.attributes, max_order=options.max_order)
        self._chosen = {names.INTERSECTION.join(chosen): chosen for chosen in names_of}
        keys = [combination_groups(first.table, [one])[2] for one in first.attributes]
        keys += [
            first.table["y_true"].to_numpy(),
            *(side.table["y_pred"].to_numpy() for side in (first, second)),
        ]
        _, self._row, cell = np.unique(
            np.stack(keys, axis=1), axis=0, return_index=True, return_inverse=True
        )
        self._label, *self._decided = (key[self._row] for key in keys[len(first.attributes) :])
        self._replicates = _replicates(design, cell.ravel(), len(self._row), options)

    def growth(self, key: Key, compared: frozenset[str]) -> Floats:
        """Return the growth of a gap in every replicate, NaN where a group lacks the cases."""
        attribute, metric, comparison = key
        _, groups, codes = combination_groups(self._predictions.table, self._chosen[attribute])
        places = [place for place, group in enumerate(groups) if group in compared]
        if len(places) < 2:
            return np.array([np.nan])
        member = (codes[self._row][:, None] == np.array(places)).astype(np.float64)
        sizes = []
        for decided in self._decided:
            inside, counted = self._sides(metric, decided)
            with np.errstate(invalid="ignore", divide="ignore"):
                hits, rows = (self._replicates * side @ member for side in (inside, counted))
                rates = hits / rows
                low, high = rates.min(axis=1), rates.max(axis=1)
                sizes.append(1 - low / high if comparison == RATIO else high - low)
        return np.asarray(sizes[1] - sizes[0])

    def _sides(self, metric: str, decided: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return which cells the numerator and the denominator of a rate count, 0 or 1."""
        rate, _, label = metric.partition("/")
        positive = label or self._predictions.positive
        if positive is None:  # of many classes: accuracy alone
            return (decided == self._label).astype(float), np.ones(len(decided))
        code = self._predictions.classes.index(positive)
        told, true = decided == code, self._label == code
        cells = {"tp": told & true, "fp": told & ~true, "tn": ~told & ~true, "fn": ~told & true}
        inside, counted = (np.sum([cells[c] for c in part], axis=0) for part in RATES[rate])
        return inside.astype(float), counted.astype(float)


def _replicates(
    design: Design, cell: npt.NDArray[np.int64], width: int, options: AuditOptions
) -> Floats:
    most = max(1000, _MOST_CELLS // width)
    options = replace(options, replicates=min(options.replicates, most))
    draws = {"replicates": options.replicates, "seed": options.seed}
    if design.plain:
        counts = np.bincount(cell, minlength=width)
        return proportions.resample_counts(counts, **draws).astype(np.float64)
    return design.replicates(cell, width, **draws)
