"""AUROC and calibration of groups against scikit-learn, by hand, and over simulations."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.metrics.groups import discrimination, score_bins
from plumbline.metrics.groups.contingency import table_to_contingency
from plumbline.metrics.scores.curves import ROC_POINTS


def scored(n=4000, seed=0, **extra):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {"y_true": rng.integers(2, size=n), "sex": rng.choice(["female", "male"], n)}
    )
    logit = rng.normal(size=n) + 0.8 * table["y_true"]
    table["score"] = 1 / (1 + np.exp(-logit))
    table["y_pred"] = (table["score"] >= 0.5).astype(int)
    return table


def rates(table, **options):
    found = table_to_contingency(
        table, attributes=("sex",), classes=("no", "yes"), positive="yes",
        score=table["score"], **options,
    )  # fmt: skip
    rows = discrimination.score_rates(found, max_order=1, confidence=0.95)
    return rows.set_index(["attribute", "group", "metric"])


def test_auroc_is_scikit_learns_with_ties_and_weights():
    from sklearn.metrics import roc_auc_score

    table = scored().assign(score=lambda t: t["score"].round(2))
    weight = np.random.default_rng(1).gamma(2, size=len(table))
    for options, sample_weight in (({}, None), ({"weight": weight}, weight)):
        rows = rates(table, **options)
        for sex, own in table.groupby("sex"):
            w = None if sample_weight is None else sample_weight[own.index]
            expected = roc_auc_score(own["y_true"], own["score"], sample_weight=w)
            assert rows.loc[("sex", sex, names.AUROC), "value"] == pytest.approx(
                expected, abs=1e-12
            )


def test_the_standard_error_is_delongs_by_placements():
    """By the definition: variances of the placements of both labels over their numbers."""
    table = scored(60)
    above = table.loc[table["y_true"] == 1, "score"].to_numpy()
    below = table.loc[table["y_true"] == 0, "score"].to_numpy()
    wins = (above[:, None] > below[None]) + 0.5 * (above[:, None] == below[None])
    expected = wins.mean(axis=1).var(ddof=1) / len(above) + wins.mean(axis=0).var(ddof=1) / len(
        below
    )
    found = table_to_contingency(
        table.assign(sex="x"), attributes=("sex",), classes=("no", "yes"), positive="yes",
        score=table["score"],
    )  # fmt: skip
    row = discrimination.score_moments(found, max_order=0).iloc[0]
    assert row["area"] == pytest.approx(wins.mean())
    assert row["area_variance"] == pytest.approx(expected)
    assert (row["positives"], row["negatives"]) == (len(above), len(below))


def test_bins_move_auroc_by_less_than_they_are_wide(monkeypatch):
    exact = rates(scored())
    monkeypatch.setattr(score_bins, "EXACT", 1)
    binned = rates(scored())
    assert np.abs(exact["value"] - binned["value"]).max() < 1e-4
    large = [("sex", "male", names.CALIBRATION_IN_THE_LARGE)]
    assert exact.loc[large, "value"].iloc[0] == pytest.approx(binned.loc[large, "value"].iloc[0])


def test_a_group_with_one_label_has_no_auroc():
    table = scored(200)
    table.loc[table["sex"] == "male", "y_true"] = 0
    rows = rates(table)
    assert rows.loc[("sex", "male", names.AUROC), ["value", "low", "high"]].isna().all()
    assert rows.loc[("sex", "male", names.AUROC), "n"] == 0


def test_labels_that_are_told_apart_perfectly_still_have_an_interval():
    table = scored(40).assign(score=lambda t: 0.2 + 0.6 * t["y_true"])
    row = rates(table).loc[("sex", "male", names.AUROC)]
    assert row["value"] == row["high"] == 1
    assert 0.5 < row["low"] < 1


def held(score, y, n, metric, truth):
    """Return the share of tables of n rows, each a group of one table, whose interval holds."""
    draws = len(y) // n
    cells = table_to_contingency(
        pd.DataFrame({"y_true": y.astype(int), "y_pred": 0, "draw": np.repeat(range(draws), n)}),
        attributes=("draw",), classes=("no", "yes"), positive="yes", score=score,
    )  # fmt: skip
    cells = replace(cells, most=draws)
    rows = discrimination.score_rates(cells, max_order=1, confidence=0.95)
    own = rows[(rows["metric"] == metric) & (rows["attribute"] == "draw")]
    assert len(own) == draws
    return ((own["low"] <= truth + 1e-12) & (own["high"] >= truth - 1e-12)).mean()


def test_intervals_cover_what_they_say():
    """600 tables of 120 rows, d' = 0.8: AUROC Φ(0.8/√2), calibrated by construction of labels."""
    from scipy.special import expit, ndtr

    rng = np.random.default_rng(2)
    y = rng.integers(2, size=600 * 120)
    s = expit(rng.normal(size=len(y)) + 0.8 * y)
    area = held(s, y, 120, names.AUROC, ndtr(0.8 / np.sqrt(2)))
    assert area == pytest.approx(0.95, abs=0.02)
    right = rng.random(len(y)) < s
    large = held(s, right, 120, names.CALIBRATION_IN_THE_LARGE, 0)
    assert large == pytest.approx(0.96, abs=0.02)


def test_entities_of_equal_rows_widen_the_interval_as_repeats_do():
    """Every row four times: the value stays, the standard error of the entities is the old one."""
    table = scored(200)
    four = pd.concat([table] * 4, ignore_index=True)
    once = rates(table).loc[("overall", "all")]
    again = rates(four, entity=np.tile(np.arange(200), 4)).loc[("overall", "all")]
    np.testing.assert_allclose(once["value"], again["value"])
    np.testing.assert_allclose(once["low"], again["low"], atol=2e-3)


def curves(table, **options):
    found = table_to_contingency(
        table, attributes=("sex",), classes=("no", "yes"), positive="yes",
        score=table["score"], **options,
    )  # fmt: skip
    return {c["group"]: c for c in discrimination.roc_curves(found, confidence=0.95)}


def test_roc_curves_are_scikit_learns_with_ties_and_weights():
    from sklearn.metrics import roc_curve

    table = scored(n=300).assign(score=lambda t: t["score"].round(1))
    weight = np.random.default_rng(1).gamma(2, size=len(table))
    for options, sample_weight in (({}, None), ({"weight": weight}, weight)):
        found = curves(table, **options)
        for sex, own in table.groupby("sex"):
            w = None if sample_weight is None else sample_weight[own.index]
            fpr, tpr, _ = roc_curve(
                own["y_true"], own["score"], sample_weight=w, drop_intermediate=False
            )
            points = set(zip(fpr.round(12), tpr.round(12), strict=True))
            x, y = np.array(found[sex]["fpr"]), np.array(found[sex]["tpr"])
            assert set(zip(x.round(12), y.round(12), strict=True)) <= points
            assert np.trapezoid(y, x) == pytest.approx(np.trapezoid(tpr, fpr), abs=1e-12)


def test_a_curve_keeps_its_corners_and_leaves_out_what_lies_between():
    """Scores 4, 3, 2, 1 of positive, positive, negative, positive: by hand."""
    table = pd.DataFrame({"y_true": [1, 1, 0, 1], "sex": "f", "score": [0.4, 0.3, 0.2, 0.1]})
    found = curves(table.assign(y_pred=0))["f"]
    assert found["fpr"] == [0, 0, 1, 1]
    assert found["tpr"] == pytest.approx([0, 2 / 3, 2 / 3, 1])
    assert (found["positives"], found["negatives"]) == (3, 1)


def test_long_curves_are_thinned_and_keep_their_area():
    table = scored(n=8000)
    for sex, own in curves(table).items():
        assert len(own["fpr"]) == ROC_POINTS
        area = np.trapezoid(own["tpr"], own["fpr"])
        assert area == pytest.approx(rates(table).loc["sex", sex, names.AUROC]["value"], abs=2e-3)


def test_a_group_with_one_label_has_no_curve_and_entities_no_band():
    table = scored(n=200)
    table.loc[table["sex"] == "male", "y_true"] = 1
    found = curves(table, entity=np.arange(200) // 2)
    assert list(found) == ["female"]
    assert found["female"]["margin_fpr"] is None


@pytest.mark.no_cover
def test_the_band_holds_the_whole_true_curve_as_often_as_it_says():
    """Normal scores one deviation apart: the true curve is known; 200 draws of 60 rows."""
    from scipy.special import expit, ndtr, ndtri

    rng, held = np.random.default_rng(0), 0
    across = np.linspace(0.001, 0.999, 400)
    truth = ndtr(1 + ndtri(across))
    for _ in range(200):
        y = np.repeat([0, 1], 30)
        score = expit(rng.normal(size=60) + y)
        own = curves(pd.DataFrame({"y_true": y, "y_pred": 0, "sex": "f", "score": score}))["f"]
        x, tall = np.array(own["fpr"]), np.array(own["tpr"])
        a, up = own["margin_fpr"], own["margin_tpr"]
        above = np.array([tall[x <= p + a + 1e-12].max() for p in across]) + up
        inside = [tall[x >= p - a - 1e-12].min() for p in across]
        held += bool((truth <= above).all() and (truth >= np.array(inside) - up).all())
    assert held / 200 >= 0.95


def rare(n=200_000):
    """A base rate of half a percent and scores that never leave the lowest thousandths."""
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.005).astype(int)
    score = 1 / (1 + np.exp(-(-9 + 1.2 * rng.normal(size=n) + 1.5 * y)))
    return pd.DataFrame(
        {"y_true": y, "y_pred": 0, "sex": rng.choice(["female", "male"], n), "score": score}
    )


def test_the_area_of_many_different_scores_is_that_of_single_scores():
    """Bins of one width gave 0.7523 for 0.8149; now at most 7e-5, as the bound says, or less."""
    from sklearn.metrics import roc_auc_score

    table = rare()
    found = table_to_contingency(
        table, attributes=("sex",), classes=("no", "yes"), positive="yes", score=table["score"]
    )
    assert found.ranges
    assert len(found.n) < 40_000
    moments = discrimination.score_moments(found, max_order=1).set_index("group")
    for group, own in [("all", table), *table.groupby("sex")]:
        exact = roc_auc_score(own["y_true"], own["score"])
        assert abs(moments.loc[group, "area"] - exact) <= moments.loc[group, "bound"] < 7e-5
    assert moments.loc["all", "area"] == pytest.approx(0.8149, abs=1e-4)


def test_the_bound_is_what_ties_could_hide_and_widens_the_interval(monkeypatch):
    """Two groups in one narrow range of scores: whole bins of it hold both labels of one group."""
    from sklearn.metrics import roc_auc_score

    monkeypatch.setattr(score_bins, "EXACT", 1)
    monkeypatch.setattr(score_bins, "RANKS", 4)
    rng = np.random.default_rng(3)
    table = scored(400).assign(sex="male")
    narrow = scored(400, seed=1).assign(sex="female", score=0.5001 + 1e-5 * rng.random(400))
    both = pd.concat([table, narrow], ignore_index=True)
    found = table_to_contingency(
        both, attributes=("sex",), classes=("no", "yes"), positive="yes", score=both["score"]
    )
    moments = discrimination.score_moments(found, max_order=1)
    row = moments.set_index("group").loc["female"]
    assert row["bound"] > 0.1
    assert abs(row["area"] - roc_auc_score(narrow["y_true"], narrow["score"])) <= row["bound"]
    low, without = (
        discrimination.moments_to_rates(m, confidence=0.95).set_index(["group", "metric"])["low"]
        for m in (moments, moments.assign(bound=0.0))
    )
    assert low["female", "auroc"] == pytest.approx(without["female", "auroc"] - row["bound"])


def test_many_equal_scores_are_a_bin_of_their_own(monkeypatch):
    """A third of the scores are 0.3; no bin of several scores holds a tenth of the rows."""
    monkeypatch.setattr(score_bins, "EXACT", 1)
    monkeypatch.setattr(score_bins, "RANKS", 10)
    rng = np.random.default_rng(0)
    score = np.where(rng.random(3000) < 1 / 3, 0.3, rng.random(3000))
    edges, bins, _, ranges = score_bins.score_bins(score, 3000)
    assert ranges
    values, sizes = pd.Series(score).groupby(bins).nunique(), np.bincount(bins)
    assert values[bins[score == 0.3][0]] == 1
    assert sizes[values.index[values > 1]].max() <= 300
    assert (edges[bins] <= score).all()


def test_metrics_and_audit_have_one_calibration_error_and_one_area():
    from plumbline.metrics.estimates import MetricOptions
    from plumbline.metrics.summary import classification_metrics

    table = rare(60_000)
    options = MetricOptions(confidence=0.95, replicates=2, seed=0, neighbours=1, splits=2)
    scores = np.stack([1 - table["score"], table["score"]], axis=1)
    own = classification_metrics(table["y_true"], table["y_pred"], scores, options)
    found = table_to_contingency(
        table, attributes=("sex",), classes=("no", "yes"), positive="yes", score=table["score"]
    )
    row = discrimination.calibration_errors(found, max_order=0, confidence=0.95).iloc[0]
    for key in ("value", "low", "high"):
        assert row[key] == pytest.approx(own[names.ECE][key], abs=1e-12)
    assert row["low"] < row["value"] < row["high"]
    area = discrimination.score_rates(found, max_order=0, confidence=0.95).iloc[0]
    assert area["value"] == pytest.approx(own[names.AUROC]["value"], abs=7e-5)
    for key in ("low", "high"):
        assert area[key] == own[names.AUROC][key]


@pytest.mark.no_cover
@pytest.mark.parametrize("n", [10, 25, 100, 1000])
@pytest.mark.parametrize("base", [0.01, 0.05, 0.5])
def test_calibration_in_the_large_holds_with_few_rows(n, base):
    """Calibrated scores of the base rate: 53 % of normal intervals held at n = 10."""
    y = np.random.default_rng(0).random(500 * n) < base
    assert held(np.full(len(y), base), y, n, names.CALIBRATION_IN_THE_LARGE, 0) >= 0.93


def test_overconfident_scores_are_not_taken_at_their_word():
    """Logits four times too large: by the scores alone the labels would hardly vary."""
    from scipy.special import expit

    rng = np.random.default_rng(0)
    logit = rng.normal(size=300 * 200)
    y = rng.random(len(logit)) < expit(logit)
    assert held(expit(4 * logit), y, 200, names.CALIBRATION_IN_THE_LARGE, 0) >= 0.93


def test_a_thousand_groups_take_a_few_seconds_at_any_level():
    rng = np.random.default_rng(0)
    table = scored(30_000).assign(sex=rng.integers(1000, size=30_000).astype(str))
    found = table_to_contingency(
        table, attributes=("sex",), classes=("no", "yes"), positive="yes", score=table["score"]
    )
    moments = discrimination.score_moments(replace(found, most=1000), max_order=1)
    narrow, wide = (
        discrimination.moments_to_rates(moments, confidence=level) for level in (0.95, 1 - 1e-6)
    )
    assert len(narrow) == 2002
    defined = narrow["low"].notna().to_numpy()
    assert (wide["low"] <= narrow["low"])[defined].all()
    assert (wide["high"] >= narrow["high"])[defined].all()


def test_a_group_without_weight_has_no_roc_curve():
    table = pd.DataFrame({"y_true": [0, 1] * 40, "y_pred": 0, "sex": ["a", "a", "b", "b"] * 20})
    found = table_to_contingency(
        table, attributes=("sex",), classes=("no", "yes"), positive="yes",
        score=np.linspace(0, 1, 80), weight=(table["sex"] == "b").astype(float),
    )  # fmt: skip
    curves = discrimination.roc_curves(found, confidence=0.95)
    assert [curve["group"] for curve in curves] == ["b"]
