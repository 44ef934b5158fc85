"""AUROC and calibration of groups against scikit-learn, by hand, and over simulations."""

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


def test_intervals_cover_what_they_say():
    """600 tables of 120 rows, d' = 0.8: AUROC Φ(0.8/√2), calibrated by construction of labels."""
    from scipy.special import expit, ndtr

    held, calibrated, rng = 0, 0, np.random.default_rng(2)
    for _ in range(600):
        y = rng.integers(2, size=120)
        s = expit(rng.normal(size=120) + 0.8 * y)
        table = pd.DataFrame({"y_true": y, "y_pred": 0, "sex": "x", "score": s})
        row = rates(table).loc[("overall", "all", names.AUROC)]
        held += row["low"] <= ndtr(0.8 / np.sqrt(2)) <= row["high"]
        table["y_true"] = (rng.random(120) < s).astype(int)
        row = rates(table).loc[("overall", "all", names.CALIBRATION_IN_THE_LARGE)]
        calibrated += row["low"] <= 0 <= row["high"]
    assert held / 600 == pytest.approx(0.95, abs=0.03)
    assert calibrated / 600 == pytest.approx(0.95, abs=0.03)


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
