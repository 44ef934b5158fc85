"""Metrics of labelled rows are those of the reports, and their changes have intervals of both."""

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.artifacts import DatasetSchema, ModelConfig
from plumbline.metrics.intervals import proportions, shares
from plumbline.monitoring import performance
from plumbline.monitoring.comparisons import DRIFTED, TOO_FEW, Smallest, to_lines

RELEVANT = Smallest(0.1, 0.05, 0.1)
SCHEMA = DatasetSchema("tabular", "made_up", "binary", ("no", "yes"), ("sex",), ("x",))
CONFIG = ModelConfig("fnn", "fnn", {}, names.CLASSIFICATION, "tabular", "made_up", ("no", "yes"))


def labelled(rows, right=0.5, seed=0):
    """Rows of which a share is decided rightly, with probabilities that say so."""
    rng = np.random.default_rng(seed)
    true = rng.integers(2, size=rows)
    decided = np.where(rng.random(rows) < right, true, 1 - true)
    score = np.where(decided == 1, 0.9, 0.1)
    return pd.DataFrame(
        {
            "y_true": true, "y_pred": decided, "score_no": 1 - score, "score_yes": score,
            "sex": np.where(np.arange(rows) % 2, "f", "m"),
        }
    )  # fmt: skip


def measured(table, seed=0):
    kept = performance.LabelledRows(seed)
    kept.add(table)
    return performance.Measured(kept.predictions(CONFIG, SCHEMA, ("sex",)), seed)


def test_of_many_rows_a_uniform_draw_is_kept(monkeypatch):
    monkeypatch.setattr(performance, "ROWS", 100)
    kept, table = performance.LabelledRows(0), labelled(1000).assign(place=np.arange(1000) / 1000)
    for start in range(0, 1000, 90):
        kept.add(table[start : start + 90])
    found = kept.predictions(CONFIG, SCHEMA, ("sex",)).table
    assert (kept.rows, len(found), found["place"].nunique()) == (1000, 100, 100)
    # Five standard errors of the mean of 100 uniform numbers.
    assert abs(found["place"].mean() - 0.5) < 5 * (1 / 1200) ** 0.5
    assert performance.LabelledRows(0).predictions(CONFIG, SCHEMA, ()) is None


def test_a_change_of_accuracy_has_the_mover_interval_of_both_intervals():
    table = labelled(2000, right=0.6)
    low, high = shares.share_interval(160, 200, confidence=0.95)
    report = {
        "main_metric": "accuracy", "n": 200,
        "metrics": {"accuracy": {"value": 0.8, "low": float(low), "high": float(high)}},
    }  # fmt: skip
    (line,) = to_lines(
        list(performance.compare(measured(table), report, {}, RELEVANT)), confidence=0.95
    )
    right = int((table["y_true"] == table["y_pred"]).sum())
    own = (right / 2000, *shares.share_interval(right, 2000, confidence=0.95))
    want = proportions.mover_difference(own, (0.8, low, high))
    assert line.name == "accuracy"
    assert (line.low, line.high) == (pytest.approx(float(want[0])), pytest.approx(float(want[1])))
    assert (line.reference_rows, line.new_rows, line.verdict) == (200, 2000, DRIFTED)


def test_groups_are_compared_with_the_audit_and_insufficient_ones_are_too_few():
    def row(group, metric, value, verdict=None):
        return {
            "attribute": "sex", "group": group, "metric": metric, "n": 100, "value": value,
            "low": value - 0.1, "high": value + 0.1, "verdict": verdict,
        }  # fmt: skip

    audit = {
        "confidence": 0.95,
        "rows": [
            row("f", names.ACCURACY, 0.9), row("m", names.ACCURACY, 0.5, names.INSUFFICIENT),
            row("f", names.PPV, 0.5), row("gone", names.TPR, 0.5),
        ],
    }  # fmt: skip
    pairs = list(performance.compare(measured(labelled(3000)), {}, audit, RELEVANT))
    found = {line.name: line for line in to_lines(pairs, confidence=0.95)}
    assert set(found) == {"accuracy of sex f", "accuracy of sex m",
                          "true_positive_rate of sex gone"}  # fmt: skip
    assert found["accuracy of sex f"].verdict == DRIFTED
    assert found["accuracy of sex f"].new == pytest.approx(0.5, abs=0.05)
    assert found["accuracy of sex m"].verdict == TOO_FEW
    assert found["accuracy of sex m"].reference is None
    assert (found["true_positive_rate of sex gone"].new_rows,
            found["true_positive_rate of sex gone"].verdict) == (0, TOO_FEW)  # fmt: skip


def test_calibration_that_is_lost_is_found():
    """The scores say 0.9 and half of them are right: the error is 0.4."""
    report = {"n": 500, "metrics": {names.ECE: {"value": 0.02, "low": 0.0, "high": 0.05}}}
    pairs = list(performance.compare(measured(labelled(4000)), report, {}, RELEVANT))
    (line,) = to_lines(pairs, confidence=0.95)
    assert line.new == pytest.approx(0.4, abs=0.03)
    assert line.verdict == DRIFTED


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_without_a_change_the_metrics_of_two_samples_alarm_in_at_most_one_of_twenty(monkeypatch):
    """AUROC, calibration error, and accuracy and true positive rate of both groups, 200 times."""
    monkeypatch.setattr(performance, "_REPLICATES", 20)  # none of these is resampled
    alarms = 0
    for seed in range(200):
        old = measured(labelled(400, right=0.8, seed=seed), seed)
        metrics, groups = old.metrics(0.95), old.groups(0.95).reset_index()
        report = {"main_metric": names.AUROC, "n": 400, "metrics": dict(metrics)}
        rows = groups[groups["attribute"] == "sex"].assign(verdict=None).to_dict("records")
        new = measured(labelled(400, right=0.8, seed=seed + 500), seed)
        audit = {"confidence": 0.95, "rows": rows}
        pairs = list(performance.compare(new, report, audit, Smallest(1e-9, 1e-9, 1e-9)))
        assert len(pairs) == 6
        alarms += any(line.verdict == DRIFTED for line in to_lines(pairs, confidence=0.95))
    print(f"{alarms} alarms in 200 files")
    assert alarms <= 10
