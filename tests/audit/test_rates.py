"""Values of groups and the coverage of their intervals."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.audit import rates
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.counts import QUANTITIES, means_to_columns, predictions_to_statistics
from plumbline.audit.options import AuditOptions
from plumbline.metrics.generative import distances
from plumbline.metrics.intervals import proportions, shares
from plumbline.metrics.intervals.survey_design import PLAIN
from tests.audit import tables


def table_of(predictions, confidence=0.95):
    statistics = predictions_to_statistics(predictions, max_order=1)
    rows = rates.statistics_to_rates(statistics, confidence=confidence)
    return rows.set_index(["attribute", "group", "metric"]).sort_index()


def test_residuals_have_the_t_interval_of_scipy():
    from scipy.stats import ttest_1samp

    predictions = tables.numbers(n=50, bias=(0.3, 0))
    table = predictions.table
    own = (table["y_pred"] - table["y_true"])[table["sex"] == "female"]
    expected = ttest_1samp(own, 0).confidence_interval(0.95)
    row = table_of(predictions).loc[("sex", "female", names.MEAN_RESIDUAL)]
    # Hall's interval may be the wider one where the residuals are skewed.
    assert row["value"] == pytest.approx(own.mean())
    assert expected.low - 0.02 < row["low"] <= expected.low + 1e-9
    assert expected.high - 1e-9 <= row["high"] < expected.high + 0.02
    root = table_of(predictions).loc[("sex", "female", names.RMSE)]
    assert root["value"] == pytest.approx(np.sqrt((own**2).mean()))


def test_the_error_interval_covers_what_it_says():
    """2000 groups of 100 normal residuals; that of the error is a hull and covers 0.03 more."""
    rng = np.random.default_rng(0)
    residual, codes = 2 * rng.normal(size=200_000), np.repeat(np.arange(2000), 100)
    predicted = 3 + residual / 2
    means = {
        name: PLAIN.means(values, codes, 2000)
        for name, values in zip(
            QUANTITIES, (residual, np.abs(residual), residual**2, predicted), strict=True
        )
    }
    table = pd.DataFrame({"attribute": "draw", "group": range(2000), "n": 100})
    rows = rates.residual_rates(table.assign(**means_to_columns(means)), confidence=0.95)
    truths = {
        names.RMSE: 2, names.MEAN_RESIDUAL: 0, names.MAE: 2 * (2 / np.pi) ** 0.5,
        names.MEAN_PREDICTION: 3,
    }  # fmt: skip
    for metric, truth in truths.items():
        own = rows[rows["metric"] == metric]
        held = ((own["low"] <= truth) & (truth <= own["high"])).mean()
        assert 0.935 < held < 0.985, metric


def test_errors_and_predictions_of_groups_are_scikit_learns():
    from scipy.stats import ttest_1samp
    from sklearn.metrics import mean_absolute_error, root_mean_squared_error

    predictions = tables.numbers(n=300, bias=(0.3, -0.2), spread=(1.0, 2.0))
    weight = np.random.default_rng(3).gamma(2, size=300)
    heavy = dataclasses.replace(predictions, table=predictions.table.assign(sample_weight=weight))
    for made, w in ((predictions, np.ones(300)), (heavy, weight)):
        rows = table_of(made)
        for sex, own in made.table.groupby("sex"):
            ours = (own["y_true"], own["y_pred"])
            wanted = {
                names.MAE: mean_absolute_error(*ours, sample_weight=w[own.index]),
                names.RMSE: root_mean_squared_error(*ours, sample_weight=w[own.index]),
                names.MEAN_PREDICTION: np.average(own["y_pred"], weights=w[own.index]),
            }
            for metric, value in wanted.items():
                row = rows.loc[("sex", sex, metric)]
                assert row["value"] == pytest.approx(value)
                assert row["low"] < value < row["high"]
    own = predictions.table[predictions.table["sex"] == "male"]
    ends = ttest_1samp(own["y_pred"], 0).confidence_interval(0.95)
    row = table_of(predictions).loc[("sex", "male", names.MEAN_PREDICTION)]
    # Hall's interval may be the wider one where values are skewed.
    assert row["low"] == pytest.approx(ends.low, abs=0.02)
    assert row["high"] == pytest.approx(ends.high, abs=0.02)
    assert row["low"] <= ends.low + 1e-9
    assert row["high"] >= ends.high - 1e-9


def test_gaps_of_predictions_are_differences_and_of_errors_ratios_with_a_margin():
    audit = predictions_to_audit(tables.numbers(n=4000, spread=(1.0, 1.02)), AuditOptions(
        **tables.OPTIONS))  # fmt: skip
    gaps = {(g["metric"], g["comparison"]): g for g in audit["gaps"]}
    assert (names.MEAN_PREDICTION, "ratio") not in gaps
    assert gaps[names.MAE, "ratio"]["margin"] == gaps[names.RMSE, "ratio"]["margin"] == 0.8
    assert gaps[names.MAE, "ratio"]["verdict"] == names.EQUIVALENT
    assert gaps[names.MAE, "difference"]["margin"] is None
    assert gaps[names.MEAN_PREDICTION, "difference"]["verdict"] in names.VERDICTS


def test_one_residual_has_no_interval_and_exact_predictions_have_no_width():
    predictions = tables.numbers(n=30, spread=(0, 0))
    predictions.table.loc[0, "sex"] = "other"
    rows = table_of(predictions)
    assert rows.loc[("sex", "other", names.MEAN_RESIDUAL), "value"] == 0
    assert np.isnan(rows.loc[("sex", "other", names.MEAN_RESIDUAL), "low"])
    assert np.isnan(rows.loc[("sex", "other", names.RMSE), "low"]) or (
        rows.loc[("sex", "other", names.RMSE), "value"] == 0
    )
    assert tuple(rows.loc[("sex", "male", names.RMSE), ["value", "low", "high"]]) == (0, 0, 0)


def test_text_is_rated_by_document():
    rows = table_of(tables.documents({"a": [1.0] * 20, "b": [2.0] * 20, "c": [3.0]}))
    a, b, c = (rows.loc[("part", part, names.BITS_PER_CHARACTER)] for part in "abc")
    assert a["n"] == 20
    assert a["value"] == pytest.approx(1, rel=0.05)
    assert a["low"] < 1 < a["high"] < b["low"] < 2 < b["high"]
    assert c["value"] == pytest.approx(3, rel=0.2)
    assert np.isnan(c["low"])


def test_a_generator_is_rated_by_the_shares_of_both_sorts_of_images():
    predictions = tables.images(n=200, real=300, thin=(0.2, 0.6))
    table = predictions.table
    thin = table["thickness"] == "thin"
    made = table["split"] == names.TEST
    k1, k2 = int((thin & made).sum()), int((thin & ~made).sum())
    rows = table_of(predictions)
    gap = rows.loc[("thickness", "thin", names.REPRESENTATION_GAP)]
    ends = shares.difference_interval((k1, 200), (k2, 300), confidence=0.95)
    assert gap["value"] == pytest.approx(k1 / 200 - k2 / 300)
    assert [gap["low"], gap["high"]] == pytest.approx([float(end) for end in ends])
    assert rows.loc[("thickness", "thin", names.SHARE), "value"] == pytest.approx(k1 / 200)
    assert rows.loc[("thickness", "thin", names.CLASS_AGREEMENT), "value"] == 1
    assert (names.OVERALL, names.EVERYONE, names.SHARE) not in rows.index
    assert rows.loc[(names.OVERALL, names.EVERYONE, names.CLASS_AGREEMENT), "n"] == 200


def options(least):
    return AuditOptions(0.95, 1, 0, min_group_size=least)


def test_the_distance_by_group_finds_the_group_that_is_off():
    """Thin images are off by one in each of six features; thick ones have one law with the real."""
    rows = rates.group_distances(tables.images(shift=1.0), options(10)).set_index(
        ["attribute", "group"]
    )
    assert set(rows["metric"]) == {"kid/cnn"}
    thin, thick = rows.loc["thickness", "thin"], rows.loc["thickness", "thick"]
    assert thin["low"] > 0
    assert thick["low"] < 0 < thick["high"]


def test_the_distance_of_a_group_is_that_of_its_images():
    predictions = tables.images(shift=1.0)
    table, features = predictions.table, predictions.features()
    thin = (table["thickness"] == "thin").to_numpy()
    made = (table["split"] == names.TEST).to_numpy()
    value, error = distances.kernel_distance(features[made & thin], features[~made & thin])
    rows = rates.group_distances(predictions, options(10)).set_index(["attribute", "group"])
    found = rows.loc["thickness", "thin"]
    z = proportions.critical_value(0.95)
    ends = [value - z * error, max(value + z * error, 0)]
    assert found[["value", "low", "high"]].tolist() == [value, *ends]
    assert found["n"] == min((made & thin).sum(), (~made & thin).sum())


def test_too_small_groups_and_tables_without_features_have_no_distance():
    few = rates.group_distances(tables.images(n=20, real=20), options(50))
    assert few["value"].isna().all()
    none = rates.group_distances(tables.images(features=0), options(5))
    assert none.empty
