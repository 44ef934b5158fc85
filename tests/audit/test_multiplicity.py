"""The family of an audit, and how rarely a table without effects raises an alarm."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import names
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.options import AuditOptions
from tests.audit import tables

QUICK = {**tables.OPTIONS, "max_order": 1, "replicates": 10}


def test_the_family_counts_a_rate_and_its_complement_once():
    audit = predictions_to_audit(tables.people(), AuditOptions(**QUICK))
    by_sex = [name for name in audit["family"] if name.endswith(" by sex")]
    assert by_sex == [
        "selection_rate by sex", "true_positive_rate by sex", "false_positive_rate by sex",
        "positive_predictive_value by sex", "negative_predictive_value by sex", "accuracy by sex",
        "auroc by sex", "calibration_in_the_large by sex",
    ]  # fmt: skip
    gaps = {(g["attribute"], g["metric"], g["comparison"]): g for g in audit["gaps"]}
    for one, other in ((names.TPR, names.FNR), (names.FPR, names.TNR)):
        assert (
            gaps["sex", one, "difference"]["p_holm"] == gaps["sex", other, "difference"]["p_holm"]
        )


def test_holm_never_makes_p_smaller():
    audit = predictions_to_audit(tables.people(selection=(0.45, 0.55)), AuditOptions(**QUICK))
    for gap in audit["gaps"]:
        if gap["p"] is not None and gap["p"] == gap["p"]:
            assert gap["p_holm"] >= gap["p"]


def test_the_adjusted_p_are_bonferronis_and_holms():
    audit = predictions_to_audit(tables.people(selection=(0.4, 0.6)), AuditOptions(**QUICK))
    raw = [gap["p"] for gap in audit["gaps"] if gap["comparison"] == "difference"]
    assert len(audit["family"]) == 16
    for gap in audit["gaps"]:
        if gap["p"] is not None and gap["p"] == gap["p"]:
            assert gap["p_adjusted"] == min(16 * gap["p"], 1)
            assert gap["p"] <= gap["p_holm"] <= gap["p_adjusted"]
    least = min(p for p in raw if p == p)
    smallest = next(gap for gap in audit["gaps"] if gap["p"] == least)
    assert smallest["p_holm"] == smallest["p_adjusted"]


def contradictions(audit):
    """Gaps whose verdict says another thing than their interval, and groups than gaps."""
    found = []
    for gap in audit["gaps"]:
        if gap["verdict"] == names.INSUFFICIENT:
            continue
        equal = 0 if gap["comparison"] == "difference" else 1
        outside = gap["low"] > equal or gap["high"] < equal
        if outside != (gap["verdict"] == names.DIFFERENCE):
            found.append(gap)
        assert gap["low"] <= gap["value"] <= gap["high"]
    differing = {
        (g["attribute"], g["metric"]) for g in audit["gaps"] if g["verdict"] == names.DIFFERENCE
    }
    named = {
        (r["attribute"], r["metric"]) for r in audit["rows"] if r["verdict"] == names.DIFFERENCE
    }
    return found, differing ^ named


@pytest.mark.no_cover
@given(
    seed=st.integers(0, 10_000),
    n=st.sampled_from([40, 150, 600, 3000]),
    rates=st.tuples(st.floats(0.02, 0.98), st.floats(-0.3, 0.3)),
)
@settings(max_examples=20, deadline=None)
def test_no_verdict_on_decisions_contradicts_its_interval(seed, n, rates):
    """Around the edge between verdicts, with scores and intersections."""
    base, apart = rates
    selection = (base, min(max(base + apart, 0.01), 0.99))
    predictions = tables.people(n=n, seed=seed, selection=selection)
    options = AuditOptions(**{**tables.OPTIONS, "replicates": 10})
    audit = predictions_to_audit(predictions, options)
    assert contradictions(audit) == ([], set())


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(6))
def test_no_verdict_on_other_models_contradicts_its_interval(seed):
    rng = np.random.default_rng(seed)
    apart = rng.uniform(0, 0.6)
    parts = {k: rng.normal(2, 0.2, size=25) + apart * i for i, k in enumerate("abc")}
    for predictions in (
        tables.numbers(n=200, seed=seed, bias=(0, apart), spread=(1, 1 + apart)),
        tables.documents(parts, seed=seed),
        tables.images(seed=seed, thin=(0.5 + apart / 2, 0.5)),
        tables.people(n=400, seed=seed, selection=(0.4, 0.4 + apart / 2), positive=None),
    ):
        audit = predictions_to_audit(
            predictions, AuditOptions(**{**tables.OPTIONS, "replicates": 10})
        )
        assert contradictions(audit) == ([], set())


@pytest.mark.slow
def test_of_a_hundred_tables_without_effect_at_most_five_raise_any_alarm():
    """No attribute and no metric may be called different, over the whole of each audit."""
    alarms = 0
    for seed in range(100):
        audit = predictions_to_audit(tables.people(n=400, seed=seed), AuditOptions(**QUICK))
        alarms += any(gap["verdict"] == names.DIFFERENCE for gap in audit["gaps"])
    assert alarms <= 5


def test_what_a_pair_alone_would_show_is_said_not_to_survive_the_family():
    found = []
    for seed in range(12):
        audit = predictions_to_audit(tables.people(n=300, seed=seed), AuditOptions(**QUICK))
        found += [
            g["reason"]
            for g in audit["gaps"]
            if "before multiple-testing correction only" in g["reason"]
        ]
        if found:
            break
    assert re.match(r"\S.* and .* differ before multiple-testing correction only", found[0])
    assert ", adjusted " in found[0]
    assert "(family of 16 hypotheses)" in found[0]
    assert np.all([g["verdict"] != names.DIFFERENCE for g in audit["gaps"] if g["reason"] in found])
