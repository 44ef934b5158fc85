"""Verdicts on scores: none where groups are small and nothing differs, one where it does."""

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.audit.build import statistics_to_audit
from plumbline.audit.counts import contingency_to_statistics
from plumbline.audit.options import AuditOptions
from plumbline.metrics.groups import rates, score_bins
from plumbline.metrics.groups.contingency import table_to_contingency

OPTIONS = AuditOptions(0.95, 1, 0, min_group_size=10, max_order=1)


def audited(score, y, group):
    table = pd.DataFrame({"y_true": np.asarray(y, dtype=int), "y_pred": 0, "group": group})
    counted = table_to_contingency(
        table, attributes=("group",), classes=("no", "yes"), positive="yes", score=score
    )
    return statistics_to_audit(
        contingency_to_statistics(counted, max_order=1),
        pd.DataFrame(columns=rates.RATE_COLUMNS),
        OPTIONS,
    )


def gap(audit, metric):
    return next(g for g in audit["gaps"] if g["metric"] == metric)


def test_25_low_scores_without_a_positive_are_no_difference_of_calibration():
    """Calibrated scores of 0.02 to 0.06 have none in 36 % of samples; it was p = 2e-9."""
    low = np.linspace(0.02, 0.06, 25)
    assert np.prod(1 - low) == pytest.approx(0.36, abs=0.005)
    audit = audited(
        np.concatenate([low, np.full(1000, 0.04)]),
        np.repeat([0, 1, 0], [25, 40, 960]),
        np.repeat(["a", "b"], [25, 1000]),
    )
    found = gap(audit, names.CALIBRATION_IN_THE_LARGE)
    assert found["verdict"] != names.DIFFERENCE
    assert found["low"] <= 0 < found["value"] < found["high"]
    row = next(
        r for r in audit["rows"]
        if r["metric"] == names.CALIBRATION_IN_THE_LARGE and r["group"] == "a"
    )  # fmt: skip
    assert row["low"] < 0 < row["high"]


@pytest.mark.no_cover
def test_small_groups_with_calibrated_scores_are_rarely_called_different():
    """25 and 1,000 rows at 0.05: 15.8 % of tables with normal intervals, 5 % are allowed."""
    rng, alarms = np.random.default_rng(0), []
    for _ in range(60):
        score = np.clip(rng.beta(2, 38, size=1025), 1e-3, 1 - 1e-3)
        audit = audited(score, rng.random(1025) < score, np.repeat(["a", "b"], [25, 1000]))
        alarms.append(any(g["verdict"] == names.DIFFERENCE for g in audit["gaps"]))
    assert sum(alarms) <= 5


def test_scores_that_are_too_high_for_one_group_are_a_difference():
    rng = np.random.default_rng(1)
    chance = rng.beta(2, 4, size=4000)
    group = np.repeat(["a", "b"], 2000)
    score = np.where(group == "a", np.clip(chance + 0.1, 0, 1), chance)
    audit = audited(score, rng.random(4000) < chance, group)
    assert gap(audit, names.CALIBRATION_IN_THE_LARGE)["verdict"] == names.DIFFERENCE
    assert gap(audit, names.AUROC)["verdict"] != names.DIFFERENCE


def test_an_audit_of_bins_says_how_far_its_areas_may_be_off(monkeypatch):
    rng = np.random.default_rng(2)
    score = rng.random(2000)
    given = score, rng.random(2000) < score, rng.choice(["a", "b"], 2000)
    assert not any("scores of one bin" in note for note in audited(*given)["notes"])
    monkeypatch.setattr(score_bins, "EXACT", 1)
    monkeypatch.setattr(score_bins, "RANKS", 100)
    assert any("scores of one bin" in note for note in audited(*given)["notes"])
