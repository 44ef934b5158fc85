"""Individual fairness of a model of a table: consistency, and counterfactual attribute changes.

Two questions about single samples that rates of groups do not answer. *Consistency*: do samples
with nearly the same features get the same decision? Its references are the labels of the same
samples and the chance level. *Counterfactual attribute change*: how does the decision change if the
features that encode an attribute are set to those of another group and nothing else is? It needs a
model that was given the attribute. Proxy features stay as they are, so that the answer is about the
direct use of the attribute alone (M. Kusner et al., "Counterfactual Fairness",
NIPS 2017, discuss what a causal model would add).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.artifacts import Decision, Predictions, decide
from plumbline.metrics.groups.consistency import by_noise, consistency, nearest, standardised
from plumbline.metrics.intervals import proportions, shares
from plumbline.metrics.intervals.resampling import Resampling
from plumbline.metrics.intervals.survey_design import Design

Floats = npt.NDArray[np.float64]
Rescore = Callable[[pd.DataFrame], Floats]


def predictions_to_individual(
    predictions: Predictions,
    table: pd.DataFrame,
    *,
    features: Sequence[str],
    attribute_features: Mapping[str, Sequence[str]],
    rescore: Rescore,
    neighbours: int,
    options: Resampling,
) -> dict[str, Any]:
    """Return what ``reports/individual/<model>.json`` holds.

    Parameters
    ----------
    predictions : Predictions
        Of the test rows.
    table : DataFrame
        The prepared table, all splits.
    features : sequence of str
        What the model sees.
    attribute_features : mapping
        The features that each attribute was made of, where the model sees them.
    rescore : callable
        From a table with the features to scores ``(N, K)``.
    neighbours : int
    options : Resampling

    Returns
    -------
    dict
        ``skipped``: why there is nothing, or None. ``consistency``: of ``decisions`` and
        ``labels``, each ``{value, low, high, n}``, ``noise`` (`consistency.by_noise`), ``groups``,
        those of decisions by attribute and group. ``counterfactual_changes``: see the function.
    """
    head = {
        "model": predictions.model,
        "dataset": predictions.dataset,
        "source": predictions.source,
        "confidence": options.confidence,
        "neighbours": neighbours,
    }
    if predictions.kind != names.CLASSIFICATION:
        reason = (
            f"individual fairness is measured for classifiers; the model is a {predictions.kind}"
        )
        return head | {"skipped": reason}
    own = predictions.table[predictions.table["split"] == names.TEST].reset_index(drop=True)
    by_id = table.set_index("sample_id")
    rows = by_id.loc[own["sample_id"]].reset_index()
    train = table.loc[table["split"] == names.TRAIN]
    seen = list(features)
    x, like = (part[seen].to_numpy(np.float64) for part in (rows, train))
    entity = own[names.ENTITY].to_numpy() if names.ENTITY in own else None
    unit = None if entity is None else pd.factorize(entity)[0].astype(np.int64)
    weight = own[names.WEIGHT].to_numpy(np.float64) if names.WEIGHT in own else None
    near = nearest(standardised(x, like), neighbours=neighbours, entity=entity)
    decided, labels = (own[column].to_numpy(np.int64) for column in ("y_pred", "y_true"))
    score = own[[f"score_{name}" for name in predictions.classes]].to_numpy(np.float64)
    return head | {
        "skipped": None,
        "n": len(own),
        **({} if weight is None else {"weight": float(weight.sum())}),
        "consistency": {
            "decisions": consistency(decided, near, options, unit=unit),
            "labels": consistency(labels, near, options, unit=unit),
            "noise": by_noise(score, near, options),
            "groups": [
                {"attribute": attribute, "group": group}
                | consistency(
                    decided, near, options, unit=unit, among=(own[attribute] == group).to_numpy()
                )
                for attribute in predictions.attributes
                for group in sorted(own[attribute].unique())
            ],
        },
        "counterfactual_changes": [
            counterfactual_changes(
                attribute,
                rows,
                train,
                options,
                features=[f for f in attribute_features.get(attribute, ()) if f in seen],
                rescore=rescore,
                score=score,
                unit=unit,
                weight=weight,
                positive=predictions.positive,
                classes=predictions.classes,
                decision=predictions.decision,
            )
            for attribute in predictions.attributes
        ],
    }


def counterfactual_changes(
    attribute: str,
    rows: pd.DataFrame,
    train: pd.DataFrame,
    options: Resampling,
    *,
    features: Sequence[str],
    rescore: Rescore,
    score: Floats,
    unit: npt.NDArray[np.int64] | None,
    weight: Floats | None = None,
    positive: str | None,
    classes: Sequence[str],
    decision: Decision | None = None,
) -> dict[str, Any]:
    """Return how decisions of each group change if its features are those of another group.

    Returns
    -------
    dict
        ``attribute``; ``features``, those that are set to the training medians of the other group;
        ``not_applicable``: why nothing was changed, or None; ``rows``: for each group and other
        group ``group, to, n``, ``changed`` (share of decisions) and ``score`` (mean change of the
        positive class's score, None of more classes), each ``{value, low, high}``. Rows of one
        entity count as one for the interval of ``changed`` and are resampled as one for the other.
        Rows count by ``weight (N,)`` if there is one, but for the medians. ``decision`` is the
        threshold of the model, if it has one.
    """
    head: dict[str, Any] = {"attribute": attribute, "features": list(features)}
    if not features:
        return head | {"not_applicable": "the attribute is not a feature", "rows": []}
    medians = train.groupby(attribute)[list(features)].median()
    group, found = rows[attribute].to_numpy(dtype=object), []
    code = None if positive is None else list(classes).index(positive)
    for target in sorted(set(medians.index)):
        changed_table = rows.copy()
        for feature in features:
            changed_table[feature] = medians.loc[target, feature]
        new = rescore(changed_table)
        moved = decide(new, decision) != decide(score, decision)
        for origin in sorted(set(group) - {target}):
            own = np.flatnonzero(group == origin)
            units = own if unit is None else unit[own]
            times = None if weight is None else weight[own]
            share, size = _share(moved[own], units, times)
            low, high = shares.share_interval(share * size, size, confidence=options.confidence)
            change = None if code is None else new[own, code] - score[own, code]
            found.append(
                {
                    "group": origin,
                    "to": target,
                    "n": len(own),
                    "changed": {"value": share, "low": float(low), "high": float(high)},
                    "score": None if change is None else _mean(change, units, times, options),
                }
            )
    return head | {"not_applicable": None, "rows": sorted(found, key=lambda r: r["group"])}


def _share(
    moved: npt.NDArray[np.bool_], units: npt.NDArray[np.int64], weight: Floats | None
) -> tuple[float, float]:
    """Return the share of rows that moved, and its effective size."""
    if weight is None:
        return float(moved.mean()), len(np.unique(units))
    found = Design(weight, units).rates(moved, np.zeros(len(moved), dtype=np.int64), 1)
    return float(found.value[0]), float(found.trials[0])


def _mean(
    values: Floats,
    units: npt.NDArray[np.int64],
    weight: Floats | None,
    options: Resampling,
) -> dict[str, float]:
    """Return the mean with its percentile interval; rows of one unit are resampled as one."""
    place = np.unique(units, return_inverse=True)[1]
    own = np.ones(len(values)) if weight is None else weight
    sums, sizes = np.bincount(place, weights=own * values), np.bincount(place, weights=own)
    times = proportions.resample_counts(
        np.ones(len(sums), dtype=np.int64), replicates=options.replicates, seed=options.seed
    )
    with np.errstate(invalid="ignore"):  # rows without any weight have no mean
        value = values.mean() if weight is None else sums.sum() / sizes.sum()
        drawn = (times @ sums) / (times @ sizes)
    low, high = proportions.percentile(drawn, confidence=options.confidence)
    return {"value": float(value), "low": low, "high": high}
