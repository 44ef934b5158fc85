"""Replicates from counts have the law of the bootstrap over rows, and over entities."""

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.metrics.groups import confusions
from plumbline.metrics.groups import rates as groups
from plumbline.metrics.groups.contingency import table_to_contingency
from plumbline.metrics.groups.replicates import replicate_confusions

OPTIONS = {"attributes": ("sex",), "classes": ("no", "yes"), "positive": "yes"}


def people(n=400, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "y_true": rng.integers(2, size=n),
            "y_pred": rng.integers(2, size=n),
            "sex": rng.choice(["female", "male"], n),
        }
    )


def replicate_rates(counted, *, replicates):
    labels, _, drawn = replicate_confusions(counted, ("sex",), replicates=replicates, seed=1)
    tp, fp, tn, fn = np.moveaxis(drawn, -1, 0)
    with np.errstate(invalid="ignore"):
        selected = (tp + fp) / (tp + fp + tn + fn)
        rates = {names.TPR: tp / (tp + fn), names.FPR: fp / (fp + tn)}
        return labels, {**rates, names.SELECTION_RATE: selected}


def test_replicates_are_those_of_the_rows():
    """Mean and deviation of 4000 replicates against 4000 draws of rows: within 5 %."""
    table = people()
    labels, rates = replicate_rates(table_to_contingency(table, **OPTIONS), replicates=4000)
    rng = np.random.default_rng(2)
    male, positive = (table["sex"] == "male").to_numpy(), (table["y_true"] == 1).to_numpy()
    hit = (table["y_pred"] == 1).to_numpy()
    by_rows = []
    for _ in range(4000):
        rows = rng.integers(len(table), size=len(table))
        counted = male[rows] & positive[rows]
        by_rows.append((counted & hit[rows]).sum() / counted.sum())
    ours = rates[names.TPR][:, labels.index("male")]
    assert ours.mean() == pytest.approx(np.mean(by_rows), abs=0.004)
    assert ours.std() == pytest.approx(np.std(by_rows), rel=0.05)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_cluster_bootstrap_agrees_with_linearisation(weighted):
    """300 entities of 4 rows with rates of their own: half-widths within 8 %."""
    rng = np.random.default_rng(0)
    entity = np.repeat(np.arange(300), 4)
    table = people(1200)
    table["y_pred"] = (rng.random(1200) < np.repeat(rng.beta(1.5, 3.5, 300), 4)).astype(int)
    weight = rng.gamma(4, size=1200) if weighted else None
    counted = table_to_contingency(table, entity=entity, weight=weight, **OPTIONS)
    labels, rates = replicate_rates(counted, replicates=4000)
    counts = confusions.contingency_to_counts(counted, max_order=1)
    rows = groups.counts_to_rates(counts, confidence=0.95).set_index(["group", "metric"])
    for column, label in enumerate(labels):
        low, high = np.quantile(rates[names.SELECTION_RATE][:, column], [0.025, 0.975])
        row = rows.loc[(label, names.SELECTION_RATE)]
        assert row["high"] - row["low"] == pytest.approx(high - low, rel=0.08)


def test_weights_enter_replicates_as_they_enter_rates():
    table, weight = people(), np.random.default_rng(3).integers(1, 4, 400)
    counted = table_to_contingency(table, weight=weight, **OPTIONS)
    labels, rates = replicate_rates(counted, replicates=4000)
    own = (table["sex"] == "male").to_numpy()
    expected = np.average(table["y_pred"][own], weights=weight[own])
    ours = rates[names.SELECTION_RATE][:, labels.index("male")]
    assert ours.mean() == pytest.approx(expected, abs=0.004)


def test_a_group_without_positives_has_no_replicate_of_its_rate():
    table = people()
    table.loc[table["sex"] == "male", "y_true"] = 0
    labels, rates = replicate_rates(table_to_contingency(table, **OPTIONS), replicates=50)
    assert np.isnan(rates[names.TPR][:, labels.index("male")]).all()
    assert not np.isnan(rates[names.FPR]).any()
