"""The audit of a predictions table: rates, gaps, verdicts and notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.audit import causes, disparities, multiplicity, rates, remarks
from plumbline.audit.counts import Statistics, predictions_to_statistics
from plumbline.audit.gaps import Gap
from plumbline.audit.group_names import composition_notes
from plumbline.audit.options import AuditOptions
from plumbline.audit.verdicts import assign, enough, sensitivity
from plumbline.metrics.groups import confusions, discrimination
from plumbline.metrics.groups import rates as group_rates
from plumbline.metrics.groups.grouping import pooled_notes
from plumbline.metrics.intervals import proportions


def predictions_to_audit(predictions: Predictions, options: AuditOptions) -> dict[str, Any]:
    """Return the audit of a model as ``reports/audits/<model>.json`` holds it.

    Parameters
    ----------
    predictions : Predictions
        Test rows are audited; a generator's against its reference rows.
    options : AuditOptions
    """
    statistics = predictions_to_statistics(predictions, max_order=options.max_order)
    described = pd.DataFrame(columns=group_rates.RATE_COLUMNS)
    if predictions.kind == names.GENERATOR:
        described = rates.group_distances(predictions, options)
    header = {
        "model": predictions.model,
        "dataset": predictions.dataset,
        "source": predictions.source,
        "split": names.TEST,
        "n": int((predictions.table["split"] == names.TEST).sum()),
        **_facts(predictions, statistics),
        "attributes": list(predictions.attributes),
    }
    found: dict[str, Any] = header | statistics_to_audit(statistics, described, options)
    if (decision := predictions.decision) is not None:
        found["decision"] = decision.facts()
        found["notes"] = [f"Decisions: {decision.sentence()}", *found["notes"]]
    return found


def _facts(predictions: Predictions, statistics: Statistics) -> dict[str, float]:
    """Return the entities and the summed weight of the test rows, where there are any."""
    rows = (predictions.table["split"] == names.TEST).to_numpy()
    weights = predictions.weights(rows) if statistics.weighted else None
    found: dict[str, float] = {"entities": statistics.total} if statistics.clustered else {}
    return found if weights is None else {**found, "weight": float(weights.sum())}


def statistics_to_audit(
    statistics: Statistics, described: pd.DataFrame, options: AuditOptions
) -> dict[str, Any]:
    """Return the audit of statistics, from predictions or from external files.

    Parameters
    ----------
    statistics : Statistics
    described : DataFrame
        More values of groups (`group_rates.RATE_COLUMNS`), that are described and not compared.
    options : AuditOptions
    """
    confidence = options.confidence

    def estimate(level: float) -> pd.DataFrame:
        return rates.statistics_to_rates(statistics, confidence=level)

    contingency = statistics.contingency
    binary = contingency is not None and contingency.positive is not None
    labelled = contingency is not None and contingency.labelled
    parts = [estimate(confidence), described]
    if binary and contingency is not None and statistics.calibrated:
        parts.append(
            discrimination.calibration_errors(
                contingency, max_order=options.max_order, confidence=confidence
            )
        )
    options = options.for_groups(_groups(statistics))
    rows = enough.mark_insufficient(
        pd.concat([part for part in parts if len(part)], ignore_index=True), statistics, options
    )
    gaps, family, each = _gaps(estimate, rows, options)
    hypotheses = len(family)
    found = assign.gaps_to_verdicts(
        gaps, sensitivity.detectable(gaps), rows, options, family=hypotheses
    )
    left_out, excluded = enough.left_out(rows), enough.excluded(rows, statistics)
    rows = assign.groups_to_verdicts(rows, gaps, found)
    shown = _ordered(rows).drop(columns=["size", "why", "whole"])
    designed = statistics.weighted or statistics.clustered
    shown = (
        shown.rename(columns={"effective": "effective_n"})
        if designed
        else shown.drop(columns="effective")
    )
    parts_of_gaps, roc = [], []
    if binary and contingency is not None and labelled:
        parts_of_gaps = causes.contingency_to_causes(contingency, found, options)
        roc = (
            discrimination.roc_curves(contingency, confidence=confidence)
            if contingency.scored
            else []
        )
    return {
        "kind": statistics.kind,
        "confidence": confidence,
        "remarks": remarks.statistics_to_remarks(statistics, rows, confidence=confidence),
        "rows": _records(shown),
        "counts": _counts(statistics),
        "gaps": found,
        **(
            {"pairs": assign.pairs_to_verdicts(gaps, options, family=hypotheses)}
            if options.pairs
            else {}
        ),
        "margins": [asdict(margin) for margin in options.margins],
        **(
            {"reference": dict(options.reference)} if isinstance(options.reference, Mapping) else {}
        ),
        "family": [" by ".join(hypothesis[::-1]) for hypothesis in family],
        "confidence_of_each": each,
        "left_out": left_out,
        "excluded": excluded,
        "causes": parts_of_gaps,
        "roc": roc,
        "worst": disparities.worst(found, statistics.kind, binary=binary),
        "notes": [
            *_notes(statistics, rows, (hypotheses, each), options),
            *pooled_notes(statistics.sizes),
            *composition_notes(parts_of_gaps, contingency.attributes if contingency else ()),
        ],
    }


def _gaps(
    estimate: disparities.Estimator, rows: pd.DataFrame, options: AuditOptions
) -> tuple[list[Gap], list[multiplicity.Hypothesis], float]:
    """Return the gaps, the family of hypotheses, and the confidence of each of them."""
    compared = rows[
        rows["verdict"].isna()
        & ~rows["metric"].isin(disparities.DESCRIBED)
        & (rows["attribute"] != names.OVERALL)
    ][["attribute", "metric", "group"]]
    family = multiplicity.family_of(compared, options)
    each = proportions.bonferroni(options.confidence, len(family))
    if options.pairs:
        assign.check_pairs(compared, options)
    gaps = disparities.rates_to_gaps(estimate, compared, options, each=each)
    return multiplicity.adjust(gaps, family), family, each


def _groups(statistics: Statistics) -> dict[str, list[str]]:
    sizes = statistics.sizes[statistics.sizes["attribute"] != names.OVERALL]
    return {str(a): list(own) for a, own in sizes.groupby("attribute", sort=False)["group"]}


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """Put rows of an attribute, and in it of a metric, together; in the order of appearance."""
    keys = ["attribute", "metric"]
    place = {name: i for key in keys for i, name in enumerate(dict.fromkeys(rows[key]))}
    return rows.sort_values(keys, key=lambda c: c.map(place), kind="stable")


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]


def _counts(statistics: Statistics) -> list[dict[str, Any]]:
    if statistics.contingency is None or not statistics.contingency.labelled:
        return []
    return _records(statistics.table[confusions.COUNT_COLUMNS])


def _notes(
    statistics: Statistics,
    rows: pd.DataFrame,
    family: tuple[int, float],
    options: AuditOptions,
) -> list[str]:
    sizes = statistics.sizes[statistics.sizes["attribute"] != names.OVERALL]
    least = options.min_group_size
    unit = "documents" if statistics.kind == names.LANGUAGE else "rows"
    unit = "entities" if statistics.clustered else unit
    notes = [
        f"A group needs {least} {unit}, and each of its metrics {least} cases that it is counted "
        f"from (positives of a true positive rate); {int((sizes['n'] < least).sum())} of "
        f"{len(sizes)} groups have fewer {unit} and are called insufficient. "
        + _unknown_note(options),
        _counts_note(statistics.score_moments is not None, unit),
        *_undefined_note(int(rows["value"].isna().sum()), len(rows)),
        f"{_hypotheses(family[0])} tested. The intervals of their gaps are simultaneous, with "
        f"{100 * options.confidence:g} % confidence for all and "
        f"{100 * family[1]:.4g} % for each; those of single groups are not simultaneous. A gap is "
        "a difference if its interval excludes equality. Holm's procedure (p_holm) rejects "
        "slightly more hypotheses, but has no intervals.",
        "A gap describes these data and this model. It shows neither its cause nor whether it does "
        "harm.",
    ]
    if statistics.weighted:
        notes.append("Rows count by their weight; n counts rows.")
    if statistics.clustered:
        notes.append(
            f"Rows belong to {statistics.total} entities, which vary independently of one another; "
            "rows of one entity do not. Variances are by linearisation over entities."
        )
    if (statistics.weighted or statistics.clustered) and statistics.kind == names.CLASSIFICATION:
        notes.append(
            "A share has the interval of effective_n independent rows, the effective sample size "
            "(Korn and Graubard 1998)."
        )
    moments = statistics.score_moments
    if moments is not None and (bound := float(moments["bound"].max())) > 0:
        notes.append(
            "There are too many different scores to count each: scores of one bin count as equal. "
            f"AUROC of a group is at most {bound:.2g} from that of single scores; the intervals "
            "include this."
        )
    if statistics.shared:
        notes.append(
            f"Some entities have rows in several groups of {', '.join(statistics.shared)}. "
            "Differences "
            "between these groups are tested as if the groups were independent: conservative where "
            "an entity has similar outcomes in both, anticonservative where it has opposite ones."
        )
    return notes + _KIND_NOTES.get(statistics.kind, [])


def _counts_note(ranked: bool, unit: str) -> str:
    counted = "cases that a value is counted from"
    if ranked:
        counted += "; for AUROC, those of the rarer label"
    return f"n: {counted}."


def _undefined_note(undefined: int, values: int) -> list[str]:
    if not undefined:
        return []
    verb = "value is" if values == 1 else "values are"
    return [
        f"{undefined} of {values} {verb} undefined: the group has no case, or too few, that they "
        "are counted from. Undefined values are null, never 0."
    ]


def _hypotheses(number: int) -> str:
    noun, verb = ("hypothesis", "was") if number == 1 else ("hypotheses", "were")
    return (
        f'{number} {noun} of the form "all groups of an attribute have the same value of a '
        f'metric" {verb}'
    )


def _unknown_note(options: AuditOptions) -> str:
    if options.compare_unknown:
        return f"Rows without a value of an attribute are compared as the group {names.UNKNOWN}."
    return (
        f"Rows without a value of an attribute are the group {names.UNKNOWN}, which is counted and "
        "described but not compared."
    )


_KIND_NOTES = {
    names.REGRESSION: [
        "A residual is predicted minus true: a mean above 0 says that the model predicts too much.",
        "Mean predictions may differ because the true values do: read them beside mean residuals.",
        "The interval of a mean absolute or root mean squared error supposes that the group's rows "
        "show how large its residuals can be. Where a few residuals are far larger than the "
        "others, the interval of fewer than about 100 rows is too narrow.",
    ],
    names.LANGUAGE: [
        "n counts documents, which vary independently of one another; blocks of one document do "
        "not. Texts differ in how predictable they are: a gap may be the text's, not the model's."
    ],
    names.GENERATOR: [
        "Generated and real images are measured by the same feature extractor; "
        f"{names.SEEN_CLASS} is the class that it recognises, so that its errors enter the shares "
        "of both; the metrics report has shares of the classes that are corrected for them.",
    ],
}
