"""Remarks on scores, decisions and predictions that make little sense, whatever the groups.

They stand first in an audit: verdicts about groups say little where decisions select almost nobody,
or where a score is reversed. Each is one plain sentence with its numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.audit.counts import Statistics
from plumbline.audit.group_names import alike_remarks
from plumbline.metrics.groups.contingency import ContingencyTable
from plumbline.metrics.groups.counting import sum_by

Floats = npt.NDArray[np.float64]

FEW = 10  # decisions, as the minimum size of a group
RARE = 0.02  # of all rows
RARER_THAN_LABELS = 0.1
_BITS_OF_A_BYTE = 8
_NO_LABELS = (
    "There is no column of true outcomes: selection rates are compared; error rates, and whether a "
    "gap is deserved, cannot be known."
)


@dataclass(frozen=True)
class _Estimate:
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


def statistics_to_remarks(
    statistics: Statistics, rows: pd.DataFrame, *, confidence: float
) -> list[str]:
    """Return the remarks of an audit, in the order of their weight; often none.

    Parameters
    ----------
    statistics : Statistics
    rows : DataFrame
        ``attribute, metric, value, low, high``, with those of `names.OVERALL`.
    confidence : float
        Of the intervals of ``rows``.
    """
    overall = rows[rows["attribute"] == names.OVERALL]
    values = {
        str(metric): _Estimate(value, low, high)
        for metric, value, low, high in overall[["metric", "value", "low", "high"]].itertuples(
            index=False, name=None
        )
    }
    return [*_of_values(statistics, values, confidence), *alike_remarks(statistics)]


def _of_values(
    statistics: Statistics, values: dict[str, _Estimate], confidence: float
) -> Iterator[str]:
    if statistics.contingency is not None:
        return _of_decisions(statistics.contingency, values, confidence)
    if statistics.kind == names.REGRESSION:
        return _of_residuals(values.get(names.RMSE), statistics.spread)
    if statistics.kind == names.LANGUAGE:
        return _of_bits(values.get(names.BITS_PER_CHARACTER))
    return _of_images(statistics, values.get(names.CLASS_AGREEMENT))


def _of_decisions(
    cells: ContingencyTable, values: dict[str, _Estimate], confidence: float
) -> Iterator[str]:
    labels, decisions = _counts(cells, cells.true), _counts(cells, cells.decided)
    if not cells.labelled:
        yield _NO_LABELS
    for what, counted in (("label", labels), ("decision", decisions))[not cells.labelled :]:
        if (counted > 0).sum() == 1:
            only = cells.classes[int(counted.argmax())]
            yield f"Every row has the {what} {only!r}: rates by group have nothing to differ in."
    if cells.positive is not None:
        yield from _rare_decisions(cells, labels, decisions)
    if cells.positive is not None and cells.scored:
        yield from _of_scores(cells, values.get(names.AUROC))
    if cells.labelled and (labels > 0).sum() > 1:
        yield from _of_labels(cells, labels, decisions, values[names.ACCURACY], confidence)


def _counts(cells: ContingencyTable, codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.bincount(codes, weights=cells.n, minlength=len(cells.classes)).astype(np.int64)


def _rare_decisions(
    cells: ContingencyTable, labels: npt.NDArray[np.int64], decisions: npt.NDArray[np.int64]
) -> Iterator[str]:
    rarer = int(decisions.argmin())
    count, label, total = int(decisions[rarer]), int(labels[rarer]), cells.total
    few = count < FEW or (cells.labelled and count < RARER_THAN_LABELS * label)
    if not 0 < count < RARE * total or not few:
        return
    who = "nobody" if cells.classes[rarer] == cells.positive else "everybody"
    yield (
        f"Decisions select almost {who}: {count:,} of {total:,} rows ({100 * count / total:.2g} %) "
        f"get the decision {cells.classes[rarer]!r}"
        f"{f', which is the label of {label:,}' if cells.labelled else ''}. Verdicts on such "
        "decisions say next to nothing about groups."
    )


def _of_scores(cells: ContingencyTable, auroc: _Estimate | None) -> Iterator[str]:
    if len(np.unique(cells.bin)) == 1:
        yield f"Every row has the same score, about {_mean_score(cells):.3g}: it ranks nothing."
        return
    if not cells.probabilities:
        low, high = (cells.edges[place] for place in (cells.bin.min(), cells.bin.max()))
        yield (
            f"Scores, from {low:g} to {high:g}, are taken as an order, not as probabilities: there "
            "is no calibration."
        )
    if auroc is not None and auroc.high < 0.5:
        turned = "1 - score" if cells.probabilities else "the negative score"
        yield (
            f"Scores rank against the label: AUROC is {auroc}, below one half. They may be "
            f"reversed: {turned} would have {1 - auroc.value:.3g}."
        )
    if other := misfits(cells):
        yield (
            f"Decisions are no threshold of the score: by the threshold that fits best, "
            f"{other:,} of {cells.total:,} rows would be decided otherwise."
            + (
                " AUROC and calibration are about the score, rates about the decisions."
                if cells.labelled
                else ""
            )
        )


def _mean_score(cells: ContingencyTable) -> float:
    return float(cells.score.sum() / cells.weight.sum())


def misfits(cells: ContingencyTable) -> int:
    """Return the rows that the best single threshold of the score decides otherwise.

    Scores of the threshold's own bin may be decided either way: a score may be rounded, and a bin
    may hold several scores.
    """
    size = int(cells.bin.max(initial=0)) + 1
    selected = cells.decided == cells.classes.index(str(cells.positive))
    yes, no = (
        sum_by(cells.bin, cells.n * side, size).astype(np.int64) for side in (selected, ~selected)
    )
    below = np.cumsum(yes) - yes  # selected with a lower score than the bin's
    above = no.sum() - np.cumsum(no)
    return int((below + above).min())


def _of_labels(
    cells: ContingencyTable,
    labels: npt.NDArray[np.int64],
    decisions: npt.NDArray[np.int64],
    accuracy: _Estimate,
    confidence: float,
) -> Iterator[str]:
    right = int(cells.n[cells.true == cells.decided].sum())
    if right == cells.total:
        yield (
            "Every decision equals the label: a leak, or one column given as both. Error rates "
            "cannot differ then."
        )
        return
    if right == 0:
        yield "Every decision differs from the label: the values of one column may be exchanged."
        return
    if (decisions > 0).sum() == 1:
        return  # said already
    gain = over_majority(cells, confidence=confidence)
    if gain.low <= 0:  # not where the interval is undefined
        majority = _majority(cells)
        found = "is below" if gain.high < 0 else "is not shown to be above"
        yield (
            f"Accuracy, {accuracy}, {found} that of the decision {cells.classes[majority]!r} for "
            f"every row, {accuracy.value - gain.value:.3g}: the difference is {gain}."
        )


def over_majority(cells: ContingencyTable, *, confidence: float) -> _Estimate:
    """Return accuracy minus the share of the most frequent label, on the same rows.

    The interval is Student's t of the paired differences of rows, or of entities, by linearisation
    for weighted rows.
    """
    from scipy.special import stdtrit

    gain = (cells.true == cells.decided).astype(np.float64) - (cells.true == _majority(cells))
    whole = cells.weight.sum()
    if not whole > 0:
        return _Estimate(float("nan"), float("nan"), float("nan"))
    value = float(cells.weight @ gain / whole)
    off = (gain - value) / whole
    if cells.clustered:
        sums = np.bincount(cells.cluster, weights=cells.weight * off)
        units, square = len(np.unique(cells.cluster)), float((sums**2).sum())
    else:
        units, square = cells.total, float(cells.weight2 @ off**2)
    if units < 2:
        return _Estimate(value, float("nan"), float("nan"))
    half = stdtrit(units - 1, (1 + confidence) / 2) * (square * units / (units - 1)) ** 0.5
    return _Estimate(value, value - float(half), value + float(half))


def _majority(cells: ContingencyTable) -> int:
    by_label: Any = np.bincount(cells.true, weights=cells.weight, minlength=len(cells.classes))
    return int(by_label.argmax())


def _of_residuals(error: _Estimate | None, spread: float) -> Iterator[str]:
    if error is None or not spread > 0 or not error.high >= spread:
        return
    found = "worse than" if error.low > spread else "not shown to be better than"
    explained = 1 - (error.value / spread) ** 2
    yield (
        f"Predictions are {found} the mean of the labels for every row: the root mean squared "
        f"error is {error}, that of the mean {spread:.3g} (R² {explained:.2g})."
    )


def _of_bits(bits: _Estimate | None) -> Iterator[str]:
    if bits is None:
        return
    if bits.value <= 0:
        yield (
            f"Documents need {bits.value:.3g} bits per character: a negative log-likelihood is "
            "above 0; check its sign."
        )
    elif bits.low > _BITS_OF_A_BYTE:
        yield (
            f"The model needs {bits} bits per character, more than a byte for each: check that "
            "the negative log-likelihood is in nats and summed over the same characters."
        )


def _of_images(statistics: Statistics, agreement: _Estimate | None) -> Iterator[str]:
    seen = statistics.table[statistics.table["attribute"] == names.SEEN_CLASS]
    absent = seen.loc[(seen["n"] == 0) & (seen["reference_n"] > 0), "group"]
    if len(absent):
        yield f"No generated image is recognised as {', '.join(map(str, absent))}."
    if agreement is not None and len(seen) and not agreement.low > 1 / len(seen):
        yield (
            f"The recognised class is the requested one in {agreement} of the generated images, "
            f"not shown to be more than by guessing, {1 / len(seen):.3g}."
        )
