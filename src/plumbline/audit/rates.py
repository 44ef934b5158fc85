"""From the statistics of groups to their values with intervals, in one long table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.audit.counts import (
    QUANTITIES,
    Statistics,
    columns_to_mean,
    generator_combinations,
    with_seen_class,
)
from plumbline.audit.options import AuditOptions
from plumbline.metrics.generative import distances
from plumbline.metrics.groups import discrimination, rates
from plumbline.metrics.intervals import means, proportions, shares
from plumbline.metrics.scores import language

Floats = npt.NDArray[np.float64]


def statistics_to_rates(statistics: Statistics, *, confidence: float) -> pd.DataFrame:
    """Return the values of every group and metric with intervals at ``confidence``.

    Columns `groups.RATE_COLUMNS`; n is the denominator (documents for text). Undefined values and
    ends are NaN.
    """
    if statistics.kind == names.CLASSIFICATION:
        return decision_rates(statistics, confidence=confidence)
    if statistics.kind == names.REGRESSION:
        return residual_rates(statistics.table, confidence=confidence)
    if statistics.kind == names.LANGUAGE:
        return language_rates(statistics, confidence=confidence)
    return representation_rates(statistics, confidence=confidence)


def decision_rates(statistics: Statistics, *, confidence: float) -> pd.DataFrame:
    """Return the rates of decisions and, where there are scores of two classes, AUROC.

    Without labels only selection rates are known.
    """
    rows = rates.counts_to_rates(statistics.table, confidence=confidence)
    if statistics.by_class:
        by_class = rates.class_rates(statistics.table, confidence=confidence)
        rows = pd.concat([rows, by_class], ignore_index=True)
    if statistics.contingency is not None and not statistics.contingency.labelled:
        selection = rows["metric"].str.partition("/")[0] == names.SELECTION_RATE
        return rows[selection].reset_index(drop=True)
    if statistics.score_moments is None:
        return rows
    scored = discrimination.moments_to_rates(statistics.score_moments, confidence=confidence)
    return pd.concat([rows, scored], ignore_index=True)


def residual_rates(table: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Return mean prediction, mean residual, mean absolute and root mean squared error of groups.

    Parameters
    ----------
    table : DataFrame
        ``attribute, group, n`` and the means of `QUANTITIES` as columns.
    confidence : float
        Of the intervals, which are those of `means`.
    """
    mean = {quantity: columns_to_mean(table, quantity) for quantity in QUANTITIES}
    low, high = means.mean_interval(mean["absolute"], confidence=confidence)
    root = means.root_mean_square_interval(mean["square"], table["n"], confidence=confidence)
    rows = {
        names.MEAN_PREDICTION: (
            mean["prediction"].value,
            *means.mean_interval(mean["prediction"], confidence=confidence),
        ),
        names.MEAN_RESIDUAL: (
            mean["residual"].value,
            *means.mean_interval(mean["residual"], confidence=confidence),
        ),
        names.MAE: (mean["absolute"].value, np.maximum(low, 0), high),  # NaN stays NaN
        names.RMSE: (np.sqrt(mean["square"].value), *root),
    }
    keys = table[["attribute", "group"]]
    return pd.concat(
        [_rows(keys, metric, estimate, table["n"]) for metric, estimate in rows.items()],
        ignore_index=True,
    )


def language_rates(statistics: Statistics, *, confidence: float) -> pd.DataFrame:
    """Return bits per character of every group; documents are the units of variance."""
    members = dict(iter(statistics.table.groupby(["attribute", "group"])))
    estimates = []
    for attribute, group in statistics.sizes[["attribute", "group"]].itertuples(index=False):
        rows = members.get((attribute, group), statistics.table.iloc[:0])
        estimates.append(
            language.ratio_interval(rows["nll"], rows["characters"], confidence=confidence)
        )
    value, low, high = np.asarray(estimates, dtype=np.float64).T
    return _rows(
        statistics.sizes[["attribute", "group"]],
        names.BITS_PER_CHARACTER,
        (value, low, high),
        statistics.sizes["n"],
    )


def representation_rates(statistics: Statistics, *, confidence: float) -> pd.DataFrame:
    """Return a generator's shares of groups, those of the real images, and their difference.

    Shares and their difference have the intervals of `shares`; ``class_agreement`` is the share of
    the group's generated images that are recognised as the requested class.
    """
    table = statistics.table
    keys, real = table[["attribute", "group"]], statistics.reference_total
    made = statistics.total - real
    difference = shares.difference_interval(
        (table["n"], made), (table["reference_n"], real), confidence=confidence
    )
    share, reference = (
        proportions.proportion(table["n"], made),
        proportions.proportion(table["reference_n"], real),
    )
    rows = [
        _shares(keys, names.SHARE, table["n"], made, confidence),
        _shares(keys, names.REFERENCE_SHARE, table["reference_n"], real, confidence),
        _rows(keys, names.REPRESENTATION_GAP, (share - reference, *difference), made),
        _shares(keys, names.CLASS_AGREEMENT, table["agreed"], table["n"], confidence),
    ]
    table = pd.concat(rows, ignore_index=True)
    trivial = (table["attribute"] == names.OVERALL) & (table["metric"] != names.CLASS_AGREEMENT)
    return table[~trivial].reset_index(drop=True)


def group_distances(predictions: Predictions, options: AuditOptions) -> pd.DataFrame:
    """Return the kernel distance of a generator's images from real ones by group.

    It is unbiased at any number of images: 0 is expected of two sets from one law. ``n`` is the
    smaller of both numbers; below ``min_group_size`` the distance is undefined. Columns as
    `statistics_to_rates`.
    """
    features = predictions.features()
    if not features.shape[1]:
        return pd.DataFrame(columns=rates.RATE_COLUMNS)
    table = with_seen_class(predictions.table, predictions)
    made = (table["split"] == names.TEST).to_numpy()
    real = (table["split"] == names.REFERENCE).to_numpy()
    name, z, rows = names.generative(names.KID), proportions.critical_value(options.confidence), []
    for chosen in generator_combinations(predictions, max_order=options.max_order):
        attribute, labels, codes = rates.combination_groups(table, chosen)
        if attribute == names.OVERALL:
            continue  # the metrics report has it
        for code, label in enumerate(labels):
            own = codes == code
            n = min(int((made & own).sum()), int((real & own).sum()))
            value = error = np.nan
            if n >= max(options.min_group_size, distances.FEWEST):
                value, error = distances.kernel_distance(features[made & own], features[real & own])
            ends = value, value - z * error, np.maximum(value + z * error, 0.0)
            rows.append((attribute, label, name, *ends, n, np.nan))
    return pd.DataFrame(rows, columns=rates.RATE_COLUMNS)


def _shares(
    keys: pd.DataFrame,
    metric: str,
    successes: pd.Series,
    trials: pd.Series | int,
    confidence: float,
) -> pd.DataFrame:
    value = proportions.proportion(successes, trials)
    low, high = shares.share_interval(successes, trials, confidence=confidence)
    return _rows(keys, metric, (value, low, high), trials, trials)


def _rows(
    keys: pd.DataFrame,
    metric: str,
    estimate: tuple[Floats, Floats, Floats],
    n: pd.Series | int,
    effective: pd.Series | float = np.nan,
) -> pd.DataFrame:
    value, low, high = estimate
    return keys.assign(metric=metric, value=value, low=low, high=high, n=n, effective=effective)
