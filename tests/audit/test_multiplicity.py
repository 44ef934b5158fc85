"""The family of an audit, and how rarely a table without effects raises an alarm."""

import numpy as np
import pytest

from plumbline import names
from plumbline.audit.account import predictions_to_audit
from tests.audit import tables

QUICK = {**tables.OPTIONS, "max_order": 1, "replicates": 10}


def test_the_family_counts_a_rate_and_its_complement_once():
    audit = predictions_to_audit(tables.people(), **QUICK)
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
    audit = predictions_to_audit(tables.people(selection=(0.45, 0.55)), **QUICK)
    for gap in audit["gaps"]:
        if gap["p"] is not None and gap["p"] == gap["p"]:
            assert gap["p_holm"] >= gap["p"]


@pytest.mark.slow
def test_of_a_hundred_tables_without_effect_at_most_five_raise_any_alarm():
    """No attribute and no metric may be called different, over the whole of each audit."""
    alarms = 0
    for seed in range(100):
        audit = predictions_to_audit(tables.people(n=400, seed=seed), **QUICK)
        alarms += any(gap["verdict"] == names.DIFFERENCE for gap in audit["gaps"])
    assert alarms <= 5


def test_what_a_pair_alone_would_show_is_said_not_to_survive_the_family():
    found = []
    for seed in range(12):
        audit = predictions_to_audit(tables.people(n=300, seed=seed), **QUICK)
        found += [
            g["reason"] for g in audit["gaps"] if "if nothing else were compared" in g["reason"]
        ]
        if found:
            break
    assert " but " in found[0]
    assert "(Holm, 16 hypotheses)" in found[0]
    assert np.all([g["verdict"] != names.DIFFERENCE for g in audit["gaps"] if g["reason"] in found])
