"""The whole audit of a predictions table, from counts to the summary."""

from __future__ import annotations

from typing import Any

import pandas as pd

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.audit import disparities, rates, verdicts
from plumbline.audit.counts import Statistics, predictions_to_statistics

_DISTANCE_ROUNDS = 20


def predictions_to_audit(
    predictions: Predictions,
    *,
    confidence: float,
    max_order: int,
    min_group_size: int,
    min_group_share: float,
    replicates: int,
    seed: int,
) -> dict[str, Any]:
    """Return the audit of a model as ``reports/audits/<model>.json`` holds it.

    Parameters
    ----------
    predictions : Predictions
        Test rows are audited; a generator's against its reference rows.
    confidence : float
        In (0, 1): of each group's interval, and of all pairs of an attribute and metric together.
    max_order : int
        1: groups; 2: also intersections of two attributes; and so on.
    min_group_size, min_group_share : int, float
        Smaller groups are insufficient.
    replicates, seed : int
        Of the draws of gaps by chance.
    """
    statistics = predictions_to_statistics(predictions, max_order=max_order)

    def estimate(level: float) -> pd.DataFrame:
        return rates.statistics_to_rates(statistics, confidence=level)

    rows = estimate(confidence)
    if predictions.kind == names.GENERATOR:
        distances = rates.group_distances(
            predictions,
            max_order=max_order,
            min_group_size=min_group_size,
            splits=_DISTANCE_ROUNDS,
            seed=seed,
        )
        rows = rows if distances.empty else pd.concat([rows, distances], ignore_index=True)
    rows = verdicts.mark_insufficient(
        rows, statistics, min_group_size=min_group_size, min_group_share=min_group_share
    )
    compared = rows[
        rows["verdict"].isna()
        & ~rows["metric"].isin(disparities.DESCRIBED)
        & (rows["attribute"] != names.OVERALL)
    ]
    gaps = disparities.rates_to_gaps(
        estimate,
        compared[["attribute", "metric", "group"]],
        confidence=confidence,
        replicates=replicates,
        seed=seed,
    )
    judged = verdicts.gaps_to_verdicts(gaps, rows)
    return {
        "model": predictions.model,
        "kind": predictions.kind,
        "dataset": predictions.dataset,
        "source": predictions.source,
        "split": names.TEST,
        "n": int((predictions.table["split"] == names.TEST).sum()),
        "confidence": confidence,
        "attributes": list(predictions.attributes),
        "rows": _records(_ordered(rows).drop(columns="size")),
        "counts": _counts(statistics),
        "gaps": judged,
        "worst": disparities.worst(
            judged, predictions.kind, binary=predictions.positive is not None
        ),
        "notes": _notes(predictions, statistics, rows, min_group_size, min_group_share),
    }


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """Put an attribute's rows together, attributes in the order of their first appearance."""
    place = {name: i for i, name in enumerate(dict.fromkeys(rows["attribute"]))}
    return rows.sort_values("attribute", key=lambda c: c.map(place), kind="stable")


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]


def _counts(statistics: Statistics) -> list[dict[str, Any]]:
    if statistics.kind != names.CLASSIFICATION:
        return []
    return _records(statistics.table)


def _notes(
    predictions: Predictions,
    statistics: Statistics,
    rows: pd.DataFrame,
    min_group_size: int,
    min_group_share: float,
) -> list[str]:
    sizes = statistics.sizes[statistics.sizes["attribute"] != names.OVERALL]
    small = sizes[(sizes["n"] < min_group_size) | (sizes["n"] < min_group_share * statistics.total)]
    empty = rows[rows["value"].isna()]
    unit = "documents" if predictions.kind == names.LANGUAGE else "rows"
    notes = [
        f"A group needs {min_group_size} {unit} and {100 * min_group_share:g} % of them; "
        f"{len(small)} of {len(sizes)} groups have fewer and are called insufficient.",
        f"{len(empty)} of {len(rows)} values are undefined, mostly because nothing in the group "
        "can be counted for them; they stay undefined and are never taken as 0.",
        "A gap is a difference if the interval of some pair of groups excludes equality when all "
        "pairs of that attribute and metric hold together (Bonferroni). Metrics and attributes are "
        "not corrected for each other: of many comparisons some will differ by chance.",
        "A gap describes these data and this model. It says neither what causes it nor whether it "
        "does harm.",
    ]
    return notes + _KIND_NOTES.get(predictions.kind, [])


_KIND_NOTES = {
    names.REGRESSION: [
        "A residual is predicted minus true: a mean above 0 says that the model predicts too much."
    ],
    names.LANGUAGE: [
        "n counts documents, which vary independently of one another; blocks of one document do "
        "not. Texts differ in how predictable they are: a gap may be the text's, not the model's."
    ],
    names.GENERATOR: [
        "Generated and real images are measured in the same way, by the same extractor, and "
        f"{names.SEEN_CLASS} is the class that it sees.",
        f"{names.generative(names.FID)} of a group is to be read against its "
        f"{names.generative(names.FID_FLOOR)} only: real against real images at the same size.",
    ],
}
