"""What is found for a rule, and what its bounds and the audit's verdict lead to."""

import pandas as pd
import pytest
import yaml

from plumbline import artifacts, gate, names
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.options import AuditOptions
from plumbline.errors import GateError
from plumbline.params.policy import GateRule
from tests.audit import tables
from tests.gate.rules import (
    AGE,
    AUDITS,
    COMPARISONS,
    FPR,
    GAP,
    LENIENT,
    METRICS,
    OTHER,
    RATIO,
    TPR,
    check,
)


def results(*rules, **reports):
    return [outcome["result"] for outcome in check(*rules, **reports)["rules"]]


@pytest.mark.parametrize(
    ("rule", "result"),
    [
        ({"quantity": "accuracy", "min": 0.91}, "pass"),
        ({"quantity": "accuracy", "max": 0.92}, "pass"),
        ({"quantity": "accuracy", "min": 0.9, "max": 0.905}, "fail"),
        ({"quantity": "auroc", "min": 0.0}, "fail"),
        ({"quantity": "loss", "max": 3.0}, "pass"),
        ({"quantity": "accuracy", "less": OTHER, "min": 0.01}, "pass"),
        ({"quantity": "accuracy", "less": OTHER, "min": 0.02}, "fail"),
        ({"quantity": "auroc", "less": OTHER, "min": -9.0}, "fail"),
        ({"gap": GAP, "max": 0.15, "verdicts": LENIENT}, "pass"),
        ({"gap": GAP, "max": 0.1, "verdicts": LENIENT}, "fail"),
    ],
)
def test_without_undecided_the_value_alone_is_held_against_the_bounds(rule, result):
    assert results(rule) == [result]


@pytest.mark.parametrize("then", ["pass", "warn", "fail"])
@pytest.mark.parametrize(
    ("bounds", "decided"),
    [  # of an accuracy of 0.91 [0.88, 0.93]
        ({"min": 0.86}, "pass"), ({"min": 0.88}, "pass"), ({"min": 0.95}, "fail"),
        ({"min": 0.9}, None), ({"min": 0.92}, None), ({"min": 0.93}, None),
        ({"max": 0.95}, "pass"), ({"max": 0.86}, "fail"), ({"max": 0.9}, None),
        ({"min": 0.86, "max": 0.9}, None), ({"min": 0.9, "max": 0.86}, "fail"),
    ],
)  # fmt: skip
def test_an_interval_around_a_bound_does_what_undecided_says(bounds, decided, then):
    rule = {"quantity": "accuracy", **bounds, "undecided": then}
    assert results(rule) == [decided or then]
    if then == "fail":
        assert results({"quantity": "accuracy", **bounds, "interval": True}) == [decided or then]


def test_a_value_without_an_interval_decides_nothing_where_the_interval_is_asked():
    assert results(
        {"quantity": "loss", "max": 3.0, "undecided": "warn"},
        {"quantity": "loss", "max": 3.0, "interval": True},
        {"quantity": "auroc", "min": 0.0, "undecided": "warn"},  # undefined
    ) == ["warn", "fail", "fail"]


@pytest.mark.parametrize(
    ("bound", "result"), [(-0.02, "pass"), (-0.01, "pass"), (0.0, "warn"), (0.05, "fail")]
)
def test_a_difference_of_two_models_is_held_by_its_paired_interval(bound, result):
    rule = {"quantity": "accuracy", "less": OTHER, "min": bound, "undecided": "warn"}
    (outcome,) = check(rule)["rules"]
    assert [outcome[key] for key in ("value", "low", "high", "n")] == [0.015, -0.01, 0.04, 150]
    assert outcome["result"] == result


@pytest.mark.parametrize(("bound", "result"), [(-0.02, "pass"), (0.0, "pass"), (0.05, "warn")])
def test_a_reported_comparison_warns_where_it_misses(bound, result):
    rule = {"quantity": "accuracy", "less": OTHER, "min": bound, "missed": "warn"}
    assert results(rule) == [result]
    undefined = {"quantity": "auroc", "min": 0.0, "missed": "warn"}
    assert results(undefined) == ["fail"]  # nothing was compared


def test_without_a_paired_comparison_a_difference_has_a_value_and_no_interval():
    plain = {"quantity": "accuracy", "less": OTHER, "min": -0.1}
    strict = {**plain, "undecided": "warn"}
    for found, result in zip(check(plain, strict, comparisons={})["rules"], ("pass", "warn"),
                             strict=True):  # fmt: skip
        assert found["value"] == pytest.approx(0.015)
        assert (found["low"], found["high"], found["n"]) == (None, None, 200)
        assert found["result"] == result


# --- gaps -----------------------------------------------------------------------------------------


def test_each_verdict_has_a_default_and_the_default_of_inconclusive_is_a_warning():
    rules = [{"gap": gap} for gap in (GAP, FPR, TPR, AGE)]
    verdicts = [outcome["verdict"] for outcome in check(*rules)["rules"]]
    assert verdicts == ["difference", "equivalent", "inconclusive", "insufficient"]
    assert results(*rules) == ["fail", "pass", "warn", "fail"]


@pytest.mark.parametrize("then", ["pass", "warn", "fail"])
@pytest.mark.parametrize("gap", [GAP, FPR, TPR, AGE])
def test_a_verdict_leads_to_what_the_rule_says(gap, then):
    (verdict,) = (outcome["verdict"] for outcome in check({"gap": gap})["rules"])
    bound = {"max": 1.0}  # which every gap keeps
    assert results({"gap": gap, "verdicts": {**LENIENT, verdict: then}, **bound}) == [then]


@pytest.mark.parametrize(
    "bounds",
    [{}, {"max": 0.9}, {"max": 0.9, "undecided": "warn"}, {"max": 0.9, "interval": True}],
)
def test_a_gap_of_nine_positives_that_is_not_shown_is_never_kept_without_a_word(bounds):
    assert results({"gap": TPR, **bounds}) == ["warn"]


def test_bounds_can_only_make_the_result_of_a_verdict_worse():
    assert results(
        {"gap": FPR, "max": 0.005},
        {"gap": TPR, "max": 0.4},
        {"gap": GAP, "max": 0.9},
        {"gap": AGE, "max": 0.0, "verdicts": {"insufficient": "warn"}},
    ) == ["fail", "fail", "fail", "warn"]


@pytest.mark.parametrize(
    ("comparison", "low", "high", "bound", "result"),
    [
        # 3 of 3 against 900 of 1,000: the sample may have the order wrong.
        ("difference", -0.739, 0.128, {"max": 0.2}, "warn"),
        ("difference", -0.739, 0.128, {"max": 0.74}, "pass"),
        ("difference", 0.3, 0.5, {"max": 0.2}, "fail"),
        ("difference", -0.5, -0.3, {"max": 0.2}, "fail"),
        ("ratio", 0.85, 1.1, {"min": 0.8}, "pass"),
        ("ratio", 0.85, 1.3, {"min": 0.8}, "warn"),  # 1 / 1.3 = 0.77
        ("ratio", 0.9, None, {"min": 0.8}, "warn"),
        ("ratio", 0.3, 0.7, {"min": 0.8}, "fail"),
        ("ratio", 1.3, 1.7, {"min": 0.8}, "fail"),
    ],
)
def test_a_bound_of_a_gap_holds_against_the_far_end_of_its_interval(
    comparison, low, high, bound, result
):
    wanted = {**GAP, "comparison": comparison}
    gap = {**wanted, "value": 1.0, "low": low, "high": high, "verdict": "inconclusive"}
    rule = {"gap": wanted, **bound, "undecided": "warn", "verdicts": LENIENT}
    audits = {"cnn": {**AUDITS["cnn"], "gaps": [gap]}}
    assert results(rule, audits=audits) == [result]


def test_a_rule_about_every_attribute_is_held_against_each_that_is_no_intersection():
    crossed = {**AUDITS["cnn"]["gaps"][0], "attribute": "age×sex"}
    audit = {**AUDITS["cnn"], "gaps": [*AUDITS["cnn"]["gaps"], crossed]}
    report = check({"gap": {**GAP, "attribute": "*"}}, audits={"cnn": audit})
    assert [(r["quantity"], r["verdict"], r["result"]) for r in report["rules"]] == [
        ("selection_rate difference by sex", "difference", "fail"),
        ("selection_rate difference by age", "insufficient", "fail"),
    ]


def audited(*groups):
    """The audit of decisions, of ``(group, right positives, positives, negatives)``."""
    rows = []
    for group, right, positives, negatives in groups:
        rows += [(group, 1, int(i < right)) for i in range(positives)] + [(group, 0, 0)] * negatives
    table = pd.DataFrame(rows, columns=["sex", "y_true", "y_pred"])
    table = table.assign(sample_id=table.index.astype(str), split=names.TEST)
    predictions = tables.classified(table, attributes=("sex",))
    return predictions_to_audit(predictions, AuditOptions(**tables.OPTIONS | {"replicates": 200}))


@pytest.mark.parametrize("then", ["warn", "fail"])
@pytest.mark.parametrize("few", [("b", 3, 3, 40), ("b", 7, 9, 40)])
def test_a_rate_of_a_few_positives_keeps_no_bound_in_a_real_audit(few, then):
    audit = {**audited(("a", 900, 1000, 500), few), "source": "digits"}
    for comparison, bound in (("ratio", {"min": 0.8}), ("difference", {"max": 0.9})):
        rule = {"gap": {**TPR, "comparison": comparison}, **bound, "interval": True}
        rule |= {"verdicts": {"insufficient": then}}
        (outcome,) = check(rule, audits={"cnn": audit})["rules"]
        assert (outcome["verdict"], outcome["result"]) == ("insufficient", then)


def test_a_wide_gap_that_a_real_audit_cannot_settle_is_a_warning():
    audit = {**audited(("a", 12, 20, 40), ("b", 15, 16, 40)), "source": "digits"}
    (outcome,) = check({"gap": TPR, "max": 0.5}, audits={"cnn": audit})["rules"]
    assert outcome["value"] == pytest.approx(15 / 16 - 12 / 20)
    assert (outcome["verdict"], outcome["result"]) == ("inconclusive", "warn")
    assert outcome["detectable"] > outcome["value"]


# --- the report -----------------------------------------------------------------------------------


def test_the_report_keeps_rule_and_finding():
    (outcome,) = check({"gap": TPR, "max": 0.9, "interval": True})["rules"]
    assert outcome == {
        "model": "cnn",
        "quantity": "true_positive_rate difference by sex",
        "value": 0.431,
        "low": -0.217,
        "high": 0.829,
        "n": 9,
        "verdict": "inconclusive",
        "detectable": 0.784,
        "min": None,
        "max": 0.9,
        "undecided": "fail",
        "missed": "fail",
        "verdicts": {
            "difference": "fail",
            "equivalent": "pass",
            "inconclusive": "warn",
            "insufficient": "fail",
        },
        "source": "engineering",
        "owner": "team",
        "rationale": "it must read",
        "expires": None,
        "waiver": None,
        "absent": None,
        "result": "warn",
    }


def test_reports_are_read_from_their_folders(tmp_path):
    for folder, files in (("metrics", METRICS), ("audits", AUDITS), ("comparisons", COMPARISONS)):
        for name, content in files.items():
            artifacts.write_json(tmp_path / f"reports/{folder}/{name}.json", content)
    assert gate.read_reports(tmp_path) == gate.Reports(METRICS, AUDITS, COMPARISONS)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            {"model": "rnn", "quantity": "accuracy", "min": 0},
            "gate: model must be one with a report of metrics, ['cnn', 'fnn'], got 'rnn'",
        ),
        (
            {"model": "rnn", "gap": GAP, "max": 1},
            "gate: model must be one with a report of audit, ['cnn'], got 'rnn'",
        ),
    ],
)
def test_a_model_without_a_report_is_an_error(rule, message):
    with pytest.raises(GateError) as error:
        check(rule)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"min": 0.0}, "a rule must have either a quantity or a gap, got neither"),
        ({"quantity": "a", "gap": GAP, "min": 0.0},
         "a rule must have either a quantity or a gap, got both"),
        ({"gap": GAP, "less": OTHER}, "less must stand with a quantity, got a gap"),
        ({"quantity": "a", "min": 0.0, "verdicts": LENIENT},
         "verdicts must stand with a gap, got a quantity"),
        ({"gap": GAP, "verdicts": LENIENT}, "a rule must have min or max, got neither"),
        ({"gap": GAP, "missed": "warn"}, "missed must stand with a quantity, got a gap"),
        ({"gap": GAP, "undecided": "warn"},
         "interval and undecided must stand with min or max, got neither"),
    ],
)  # fmt: skip
def test_a_rule_has_one_subject_and_something_to_hold(rule, message):
    with pytest.raises(ValueError, match=message):
        check(rule)


def test_the_default_policy_about_groups_is_about_those_of_any_data(root):
    rules = yaml.safe_load((root / "policy.yaml").read_text(encoding="utf-8"))["rules"]
    about_groups = [GateRule(**rule) for rule in rules if "gap" in rule]
    assert [rule.gap.attribute for rule in about_groups] == ["*", "*"]
    assert [rule.data for rule in about_groups] == [None, None]
    assert [rule.verdicts.inconclusive for rule in about_groups] == ["warn", "warn"]
    assert [rule.verdicts.difference for rule in about_groups] == ["fail", "fail"]


def test_the_bounds_of_a_ratio_are_those_of_its_smaller_direction():
    gap = {**RATIO, "value": 0.9, "low": 0.85, "high": 1.1, "verdict": "equivalent"}
    audits = {"cnn": {**AUDITS["cnn"], "gaps": [gap]}}
    assert results({"gap": RATIO, "max": 0.95}, audits=audits) == ["pass"]
    assert results({"gap": RATIO, "max": 0.85}, audits=audits) == ["fail"]
