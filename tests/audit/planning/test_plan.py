"""A plan is about what is open, at the level of the audit, in rows at today's shares."""

import json

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.artifacts import dump_json
from plumbline.audit.build import predictions_to_audit, statistics_to_audit
from plumbline.audit.counts import contingency_to_statistics
from plumbline.audit.options import AuditOptions
from plumbline.audit.planning import sample_size
from plumbline.audit.planning.plan import HEADER, audit_to_plan, explanation, plan_to_cells
from plumbline.metrics.groups import rates
from plumbline.metrics.groups.contingency import table_to_contingency
from tests.audit import tables

OPTIONS = AuditOptions(**{**tables.OPTIONS, "max_order": 1})
OPEN = (names.INCONCLUSIVE, names.INSUFFICIENT)


@pytest.fixture(scope="module")
def audit():
    return predictions_to_audit(tables.people(n=300), OPTIONS)


@pytest.fixture(scope="module")
def plan(audit):
    return audit_to_plan(audit)


def entry(plan, attribute, metric, comparison="difference"):
    key = (attribute, metric, comparison)
    (found,) = [e for e in plan if (e["attribute"], e["metric"], e["comparison"]) == key]
    return found


def test_what_is_settled_is_not_in_the_plan_and_what_is_open_with_a_margin_is():
    def keys(entries):
        return {(e["attribute"], e["metric"], e["comparison"]) for e in entries}

    apart = without_scores(250, 0, (0.3, 0.5))
    plan = audit_to_plan(apart)
    assert keys(plan) == keys(gap for gap in apart["gaps"] if gap["verdict"] in OPEN)
    assert 0 < len(plan) < len(apart["gaps"])
    assert ("sex", names.SELECTION_RATE, "difference") not in keys(plan)
    json.loads(dump_json({"plan": plan}))


def test_rows_are_those_that_hold_the_cases_at_todays_share(audit, plan):
    found = entry(plan, "sex", names.TPR)
    rows = {(r["metric"], r["group"]): r for r in audit["rows"] if r["attribute"] == "sex"}
    for group, needed in found["difference"]["rows"].items():
        share = rows[names.TPR, group]["n"] / rows[names.ACCURACY, group]["n"]
        assert needed == np.ceil(found["difference"]["cases"] / share)
    assert found["fewest"] == min(rows[names.TPR, group]["n"] for group in ("female", "male"))
    assert found["equivalence"]["cases"] > found["fewest"]


def test_the_level_is_that_of_the_whole_family_and_all_pairs(audit, plan):
    """AUROC and calibration included: eight hypotheses of each of two attributes; three ages."""
    assert len(audit["family"]) == 16
    assert entry(plan, "sex", names.TPR)["level"] == pytest.approx(1 - 0.05 / 16)
    assert entry(plan, "age", names.TPR)["level"] == pytest.approx(1 - 0.05 / 16 / 3)
    asked = sample_size.Comparison(
        entry(plan, "age", names.TPR)["value"], None, "difference", 0.1, 3, 1 - 0.05 / 16
    )
    assert entry(plan, "age", names.TPR)["difference"]["cases"] == sample_size.for_difference(asked)


def test_with_a_reference_fewer_pairs_need_fewer_cases(plan):
    options = AuditOptions(**{**tables.OPTIONS, "max_order": 1}, reference={"age": "60+"})
    held = entry(
        audit_to_plan(predictions_to_audit(tables.people(n=300), options)), "age", "accuracy"
    )
    free = entry(plan, "age", "accuracy")
    assert held["level"] == pytest.approx(1 - 0.05 / 16 / 2)
    for question in ("difference", "equivalence"):
        assert held[question]["cases"] < free[question]["cases"]


def test_the_unknown_and_groups_without_a_row_are_not_planned_for():
    people = tables.people(n=300)
    people.table.loc[people.table["sex"] == "female", "sex"] = names.UNKNOWN
    plan = audit_to_plan(predictions_to_audit(people, OPTIONS))
    assert {e["attribute"] for e in plan} == {"age"}


def test_a_group_too_small_for_a_verdict_is_planned_for():
    people = tables.people(n=300)
    people.table["sex"] = np.where(np.arange(300) < 5, "other", "male")
    plan = audit_to_plan(predictions_to_audit(people, OPTIONS))
    found = entry(plan, "sex", names.ACCURACY)
    assert (found["verdict"], found["fewest"]) == (names.INSUFFICIENT, 5)
    assert found["difference"]["rows"]["other"] == found["difference"]["cases"]


def test_weights_need_more_rows_by_what_they_are_worth():
    """Cases are effective ones: rows over today's rows as cases over today's effective size."""
    people = tables.people(n=400).table
    weight = np.random.default_rng(2).gamma(0.5, size=400)
    counted = table_to_contingency(
        people, attributes=("sex",), classes=("no", "yes"), positive="yes", weight=weight
    )
    statistics = contingency_to_statistics(counted, max_order=1)
    audit = statistics_to_audit(statistics, pd.DataFrame(columns=rates.RATE_COLUMNS), OPTIONS)
    found = entry(audit_to_plan(audit), "sex", names.ACCURACY)
    for row in audit["rows"]:
        if (row["attribute"], row["metric"]) == ("sex", names.ACCURACY):
            ratio = found["difference"]["rows"][row["group"]] / found["difference"]["cases"]
            assert ratio == pytest.approx(row["n"] / row["effective_n"], rel=1e-3)
            assert ratio > 1.5


def test_of_rows_of_one_entity_nothing_is_planned():
    """What they are worth is not known: they are not so many independent rows."""
    counted = table_to_contingency(
        tables.people(n=400).table,
        attributes=("sex",),
        classes=("no", "yes"),
        positive="yes",
        entity=np.zeros(400, dtype=int),
    )
    statistics = contingency_to_statistics(counted, max_order=1)
    audit = statistics_to_audit(statistics, pd.DataFrame(columns=rates.RATE_COLUMNS), OPTIONS)
    assert {gap["verdict"] for gap in audit["gaps"]} == {names.INSUFFICIENT}
    assert audit_to_plan(audit) == []


def without_scores(n, seed, rates_of):
    """Return the audit of two groups of ``n`` rows whose selection rates are these."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "y_true": rng.integers(2, size=2 * n),
            "y_pred": (rng.random(2 * n) < np.repeat(rates_of, n)).astype(int),
            "sex": np.repeat(["female", "male"], n),
        }
    )
    counted = table_to_contingency(
        table, attributes=("sex",), classes=("no", "yes"), positive="yes"
    )
    statistics = contingency_to_statistics(counted, max_order=1)
    return statistics_to_audit(statistics, pd.DataFrame(columns=rates.RATE_COLUMNS), OPTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("question", ["difference", "equivalence"])
def test_an_audit_with_the_planned_rows_settles_it_in_four_of_five_samples(question):
    """Whole audits of decisions drawn with the planned cases; 100 samples, ± 12 points."""
    found = entry(audit_to_plan(without_scores(150, 0, (0.3, 0.3))), "sex", names.SELECTION_RATE)
    n, rate, settled = found[question]["cases"], found["value"], 0
    apart = (rate - 0.05, rate + 0.05) if question == "difference" else (rate, rate)
    wanted = names.DIFFERENCE if question == "difference" else names.EQUIVALENT
    for seed in range(100):
        (gap,) = [
            gap
            for gap in without_scores(n, seed, apart)["gaps"]
            if (gap["metric"], gap["comparison"]) == (names.SELECTION_RATE, "difference")
        ]
        settled += gap["verdict"] == wanted
    assert settled / 100 == pytest.approx(0.8, abs=0.12)


def test_the_table_names_the_group_that_needs_most_rows(plan):
    cells = plan_to_cells(plan)
    assert {len(line) for line in cells} == {len(HEADER)}
    for line, one in zip(cells, plan, strict=True):
        rows = one["difference"]["rows"]
        assert line[7] in {
            f"{n:,} ({group})" for group, n in rows.items() if n == max(rows.values())
        }
    assert explanation([]) == "No open comparison has a margin and data to plan from."
