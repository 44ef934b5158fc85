"""Scores, decisions and predictions without sense are said; sensible ones are not."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import r2_score, roc_auc_score

from plumbline import names
from plumbline.audit import rates, remarks
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.counts import Statistics, contingency_to_statistics
from plumbline.audit.external.residuals import file_to_residuals
from plumbline.audit.options import AuditOptions
from plumbline.metrics.groups.contingency import table_to_contingency
from tests.audit import tables

OPTIONS = AuditOptions(**tables.OPTIONS)


def counted(y, decision, score=None, classes=("no", "yes"), positive="yes", **more):
    frame = pd.DataFrame({"y_true": y, "y_pred": decision})
    return table_to_contingency(
        frame, attributes=(), classes=classes, positive=positive, score=score, **more
    )


def said(*columns, **more):
    statistics = contingency_to_statistics(counted(*columns, **more), max_order=1)
    rows = rates.statistics_to_rates(statistics, confidence=0.95)
    return remarks.statistics_to_remarks(statistics, rows, confidence=0.95)


def sensible(n=4000, seed=0):
    """Labels, scores that rank them, and decisions that are a threshold of these."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + 2.3 * y - 1.15)))
    return y, (score >= 0.5).astype(int), np.round(score, 3)


def test_of_sensible_scores_and_decisions_nothing_is_said():
    assert said(*sensible()) == []
    y, decision, score = sensible()
    assert said(y, decision, score, weight=np.random.default_rng(1).gamma(2, size=len(y))) == []
    assert said(y, decision, score, entity=np.arange(len(y)) // 2) == []


def test_a_reversed_score_is_said_with_what_the_other_way_round_would_have():
    y, decision, score = sensible()
    (one,) = said(y, decision, 1 - score)[:1]
    auroc = roc_auc_score(y, 1 - score)
    assert one.startswith(f"Scores rank against the label: AUROC is {auroc:.3g} [")
    assert one.endswith(f"1 - score would have {1 - auroc:.3g}.")


def test_of_an_area_whose_interval_holds_one_half_nothing_is_said():
    rng = np.random.default_rng(0)
    y, _, _ = sensible(200)
    score = np.round(rng.random(200), 3)
    assert not [one for one in said(y, (score >= 0.5).astype(int), score) if "rank" in one]


def test_a_network_that_selects_9_of_20121_rows_selects_almost_nobody():
    y = (np.arange(20_121) % 4 == 0).astype(int)
    decision = np.zeros(20_121, dtype=int)
    decision[np.flatnonzero(y)[:9]] = 1
    first = said(y, decision)[0]
    assert first == (
        "Decisions select almost nobody: 9 of 20,121 rows (0.045 %) get the decision 'yes', which "
        "is the label of 5,031. Verdicts on such decisions say next to nothing about groups."
    )
    assert said(1 - y, 1 - decision)[0].startswith(
        "Decisions select almost everybody: 9 of 20,121 rows (0.045 %) get the decision 'no'"
    )


def test_rare_decisions_about_a_rare_label_are_no_remark():
    """900 of 300,000 are selected, and 1,000 have the label: as rare as what they find."""
    y = (np.arange(300_000) < 1000).astype(int)
    decision = (np.arange(300_000) < 900).astype(int)
    assert said(y, decision) == []


def test_constant_decisions_labels_and_scores_are_said():
    y, decision, _ = sensible(300)
    assert said(y, np.ones(300, dtype=int)) == [
        "Every row has the decision 'yes': rates by group have nothing to differ in."
    ]
    assert said(np.zeros(300, dtype=int), decision)[0].startswith("Every row has the label 'no'")
    assert "Every row has the same score, about 0.37: it ranks nothing." in said(
        y, decision, np.full(300, 0.37)
    )


def test_decisions_that_no_threshold_gives_are_counted():
    y, decision, score = sensible()
    for row in (np.argsort(score)[:3], np.argsort(-score)[:2]):
        decision[row] = 1 - decision[row]
    assert remarks.misfits(counted(y, decision, score)) == 5
    assert any(
        "5 of 4,000 rows would be decided otherwise" in one for one in said(y, decision, score)
    )


def test_a_threshold_inside_a_rounded_score_is_one():
    y, _, _ = sensible()
    score = np.random.default_rng(3).random(4000)
    decision = (score >= 0.504).astype(int)
    assert remarks.misfits(counted(y, decision, np.round(score, 2))) == 0


def test_decisions_equal_to_the_label_are_a_leak_and_opposite_ones_an_exchange():
    y, _, _ = sensible(300)
    assert said(y, y)[0].startswith("Every decision equals the label: a leak")
    assert said(y, 1 - y)[0].startswith("Every decision differs from the label")


def test_accuracy_is_compared_with_the_most_frequent_label_on_the_same_rows():
    rng = np.random.default_rng(5)
    y = (rng.random(2000) < 0.2).astype(int)
    decision = np.where(rng.random(2000) < 0.8, y, 1 - y)
    gain = (y == decision).astype(float) - (y == 0)
    expected = stats.ttest_1samp(gain, 0).confidence_interval(0.95)
    found = remarks.over_majority(counted(y, decision), confidence=0.95)
    assert (found.value, found.low, found.high) == pytest.approx((gain.mean(), *expected))
    (one,) = said(y, decision)
    assert "is not shown to be above that of the decision 'no' for every row" in one
    assert f"the difference is {gain.mean():.3g} [{expected.low:.3g}, {expected.high:.3g}]" in one


def test_rows_of_one_entity_and_integer_weights_make_the_gain_no_surer():
    rng = np.random.default_rng(6)
    y = (rng.random(500) < 0.3).astype(int)
    decision = np.where(rng.random(500) < 0.75, y, 1 - y)
    once = remarks.over_majority(counted(y, decision), confidence=0.95)
    entity = np.repeat(np.arange(500), 3)
    again = remarks.over_majority(
        counted(np.repeat(y, 3), np.repeat(decision, 3), entity=entity), confidence=0.95
    )
    heavy = remarks.over_majority(counted(y, decision, weight=np.full(500, 3.0)), confidence=0.95)
    for other in (again, heavy):
        assert (other.value, other.low, other.high) == pytest.approx(
            (once.value, once.low, once.high)
        )


def test_decisions_below_the_most_frequent_label_are_called_below():
    y = (np.arange(1000) % 10 == 0).astype(int)
    decision = (np.arange(1000) % 3 == 0).astype(int)
    assert any("is below that of the decision 'no'" in one for one in said(y, decision))


def test_many_classes_are_compared_with_the_most_frequent_one():
    rng = np.random.default_rng(7)
    y, decision = rng.integers(3, size=900), rng.integers(3, size=900)
    (one,) = said(y, decision, classes=("a", "b", "c"), positive=None)
    assert one.startswith("Accuracy, ")


def test_predictions_worse_than_the_mean_are_said_of_tables_and_files(tmp_path):
    predictions = tables.numbers(n=600, spread=(1.6, 1.6))
    audit = predictions_to_audit(predictions, OPTIONS)
    table = predictions.table
    explained = r2_score(table["y_true"], table["y_pred"])
    (one,) = audit["remarks"]
    assert one.startswith("Predictions are worse than the mean of the labels")
    assert one.endswith(f"that of the mean {table['y_true'].std(ddof=0):.3g} (R² {explained:.2g}).")
    path = tmp_path / "numbers.csv"
    table.assign(w=2.0).to_csv(path, index=False)
    for more in ({}, {"weight": "w"}, {"entity": "sample_id"}):
        found = file_to_residuals(
            path, label="y_true", prediction="y_pred", attributes=("sex",), max_order=1, **more
        )
        assert found.spread == pytest.approx(table["y_true"].std(ddof=0))
    good = tables.numbers(n=600, spread=(0.3, 0.3))
    assert predictions_to_audit(good, OPTIONS)["remarks"] == []


def test_the_audit_of_predictions_has_the_remarks():
    people = tables.people(selection=(0.0, 0.0))
    assert predictions_to_audit(people, OPTIONS)["remarks"][0] == (
        "Every row has the decision 'no': rates by group have nothing to differ in."
    )


def of_text(nats):
    documents = pd.DataFrame(
        {"attribute": names.OVERALL, "group": names.EVERYONE, "nll": nats, "characters": 100.0}
    )
    sizes = pd.DataFrame(
        {"attribute": [names.OVERALL], "group": [names.EVERYONE], "n": [len(documents)]}
    )
    statistics = Statistics(names.LANGUAGE, sizes, documents, len(documents))
    rows = rates.statistics_to_rates(statistics, confidence=0.95)
    return remarks.statistics_to_remarks(statistics, rows, confidence=0.95)


def test_likelihoods_that_are_none_are_said():
    nats = 100 * np.log(2) * np.random.default_rng(8).normal(2, 0.1, 40)
    assert of_text(nats) == []
    assert of_text(-nats)[0].startswith("Documents need -1.98 bits")
    assert "more than a byte for each" in of_text(10 * nats)[0]


def test_of_an_undefined_gain_over_the_most_frequent_label_nothing_is_said():
    y, decision, score = sensible(400)
    for more in ({"entity": np.zeros(400, dtype=int)}, {"weight": np.zeros(400)}):
        found = said(y, decision, score, **more)
        assert not [one for one in found if "nan" in one or one.startswith("Accuracy")]
