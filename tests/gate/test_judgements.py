"""What a finding means on a day, what is said about it, and what the gate ends with."""

import datetime

import pytest

from plumbline import gate
from plumbline.reporting.gate_table import show_gate
from tests.gate.rules import GAP, OTHER, RATIO, TODAY, TPR, check, judge

WAIVER = {"who": "A. Person", "why": "the sensor is being replaced", "until": "2026-05-01"}

MISSED, HELD = {"quantity": "accuracy", "min": 0.99}, {"quantity": "accuracy", "min": 0.5}


@pytest.mark.parametrize(
    ("rule", "status", "told"),
    [
        ({**HELD, "expires": "2026-05-01"}, "PASS", ""),
        (
            {**HELD, "expires": "2026-04-30"}, "EXPIRED",
            "cnn accuracy: rule must not be past its expiry, got 2026-04-30 on 2026-05-01; "
            "team must renew or withdraw it",
        ),
        (
            {**MISSED, "waiver": WAIVER}, "WAIVED",
            "cnn accuracy must be >= 0.99 (engineering, team: it must read), "
            "got 0.91 [0.88, 0.93], n = 200; waived by A. Person until 2026-05-01: "
            "the sensor is being replaced",
        ),
        (
            {**MISSED, "waiver": {**WAIVER, "until": "2026-04-30"}}, "EXPIRED",
            "cnn accuracy: waiver by A. Person must not be past its end, got 2026-04-30 on "
            "2026-05-01; the rule fails without it, team must renew or remove it",
        ),
        (
            {**HELD, "waiver": {**WAIVER, "until": "2026-04-30"}}, "EXPIRED",
            "cnn accuracy: waiver by A. Person must not be past its end, got 2026-04-30 on "
            "2026-05-01; the rule passes without it, team must renew or remove it",
        ),
        ({**HELD, "waiver": WAIVER}, "PASS", ""),
        (
            {**MISSED, "waiver": WAIVER, "expires": "2020-01-01"}, "EXPIRED",
            "cnn accuracy: rule must not be past its expiry, got 2020-01-01 on 2026-05-01; "
            "team must renew or withdraw it",
        ),
    ],
)  # fmt: skip
def test_a_waiver_and_a_rule_hold_through_their_date(rule, status, told):
    (one,) = judge(rule)
    assert (one.status, one.sentence) == (status, told)
    assert (gate.failure([one]) == "") is (status in ("PASS", "WAIVED"))


def test_the_report_says_nothing_of_the_day_it_was_judged_on():
    rule = {**MISSED, "waiver": WAIVER, "expires": "2026-06-01"}
    report = check(rule)
    days = [datetime.date(2026, 5, day) for day in (1, 2)]
    assert [gate.judgements(report, day)[0].status for day in days] == ["WAIVED", "EXPIRED"]
    assert check(rule) == report
    assert "2026-05-02" not in str(report)


WARNED = [
    (
        {"gap": TPR},
        "cnn true_positive_rate difference by sex: the verdict 'inconclusive' is a warning "
        "(engineering, team: it must read), got 0.431 [-0.217, 0.829], "
        "'inconclusive', n = 9, detectable 0.784",
    ),
    (
        {"quantity": "accuracy", "less": OTHER, "max": 0.0, "undecided": "warn"},
        "cnn accuracy less fnn accuracy must be <= 0 with its interval (engineering, team: it must "
        "read), got 0.015 [-0.01, 0.04], n = 150, which does not decide it",
    ),
    (
        {"quantity": "accuracy", "less": OTHER, "min": 0.05, "undecided": "warn", "missed": "warn"},
        "cnn accuracy less fnn accuracy must be >= 0.05 with its interval (engineering, team: it "
        "must read), got 0.015 [-0.01, 0.04], n = 150, which misses it; the policy reports this "
        "comparison and lets it pass",
    ),
    (
        {"gap": GAP, "verdicts": {"difference": "warn"}},
        "cnn selection_rate difference by sex: the verdict 'difference' is a warning "
        "(engineering, team: it must read), got 0.12 [0.02, 0.2], 'difference', n = 170",
    ),
]


@pytest.mark.parametrize(("rule", "told"), WARNED)
def test_a_warning_passes_says_why_and_fails_where_that_is_asked(rule, told):
    judged = judge(HELD, rule)
    assert [(one.status, one.sentence) for one in judged] == [("PASS", ""), ("WARN", told)]
    assert gate.failure(judged) == ""
    assert gate.failure(judged, warnings_fail=True) == f"gate: {told}"


def test_rules_are_counted_by_what_became_of_them():
    assert gate.counts(judge()) == "gate: 0 passed, 0 warned, 0 failed"
    assert gate.counts(judge(HELD, HELD, {"gap": TPR}, MISSED)) == (
        "gate: 2 passed, 1 warned, 1 failed"
    )
    others = (
        {**MISSED, "waiver": WAIVER}, {**HELD, "expires": "2026-04-30"}, {**HELD, "data": ["mnist"]}
    )  # fmt: skip
    assert gate.counts(judge(*others)) == (
        "gate: 0 passed, 0 warned, 0 failed, 1 waived, 1 expired, 1 not applicable"
    )


def test_a_waiver_changes_nothing_about_a_warning():
    (one,) = judge({"gap": TPR, "waiver": WAIVER})
    assert one.status == "WARN"
    (after,) = judge({"gap": TPR, "waiver": {**WAIVER, "until": "2026-04-30"}})
    assert (after.status, "the rule warns without it" in after.sentence) == ("EXPIRED", True)


def test_the_table_on_the_screen_has_a_row_per_rule_the_warnings_and_how_many_there_are(capsys):
    show_gate(judge(HELD, {**MISSED, "waiver": WAIVER}, {"gap": TPR}), TODAY)
    shown = capsys.readouterr().err
    assert "Policy on 2026-05-01" in shown
    words = ("PASS", "WAIVED", "WARN", "engineering: team", "n = 200", "warning:")
    assert [word for word in words if word not in shown] == []
    assert "waived by A. Person until 2026-05-01" in " ".join(shown.split())
    assert f"WARN: {WARNED[0][1]}" in " ".join(shown.split())
    assert shown.endswith("gate: 1 passed, 1 warned, 0 failed, 1 waived\n")


def test_every_missed_rule_is_named_with_its_source_and_interval():
    judged = judge(
        {"quantity": "accuracy", "min": 0.93},
        {"quantity": "accuracy", "min": 0.9},
        {"quantity": "accuracy", "less": OTHER, "min": 0.05},
        {"quantity": "auroc", "min": 0.5, "source": "guideline", "rationale": "better than chance"},
        {"gap": GAP, "max": 0.015, "interval": True, "verdicts": {"difference": "pass"}},
        {"gap": RATIO, "min": 0.8, "source": "legal", "rationale": "four fifths"},
        {"gap": GAP},
    )  # fmt: skip
    assert gate.failure(judged) == (
        "gate: cnn accuracy must be >= 0.93 (engineering, team: it must read), "
        "got 0.91 [0.88, 0.93], n = 200; "
        "cnn accuracy less fnn accuracy must be >= 0.05 (engineering, team: it must read), "
        "got 0.015 [-0.01, 0.04], n = 150; "
        "cnn auroc must be >= 0.5 (guideline, team: better than chance), got undefined, n = 200; "
        "cnn selection_rate difference by sex must be <= 0.015 with its interval and not have the "
        "verdict 'insufficient' (engineering, team: it must read), "
        "got 0.12 [0.02, 0.2], 'difference', n = 170; "
        "cnn selection_rate ratio by sex must be >= 0.8 and not have the verdict 'difference' or "
        "'insufficient' (legal, team: four fifths), got 0.5 [0.2, ∞], 'inconclusive', n = 170; "
        "cnn selection_rate difference by sex must not have the verdict 'difference' or "
        "'insufficient' (engineering, team: it must read), got 0.12 [0.02, 0.2], 'difference', "
        "n = 170"
    )


def test_no_rules_are_kept():
    assert check() == {"rules": []}
    assert gate.failure(judge()) == ""


ABSENT = [
    (
        {"quantity": "f1", "min": 0},
        "cnn f1", "these data have no quantity 'f1'; they have accuracy, auroc, loss",
    ),
    (
        {"quantity": "accuracy", "less": {**OTHER, "quantity": "rmse"}, "min": 0},
        "cnn accuracy less fnn rmse", "these data have no quantity 'rmse'; they have accuracy",
    ),
    (
        {"gap": {**GAP, "attribute": "race"}, "max": 1},
        "cnn selection_rate difference by race",
        "these data have no attribute 'race'; they have age, sex",
    ),
    (
        {"gap": {**GAP, "metric": "auroc"}, "max": 1},
        "cnn auroc difference by sex",
        "these data have no metric 'auroc difference'; they have "
        "false_positive_rate difference, selection_rate difference, selection_rate ratio, "
        "true_positive_rate difference",
    ),
    (
        {"gap": {**GAP, "metric": "auroc", "attribute": "*"}, "max": 1},
        "cnn auroc difference by *",
        "these data have no metric 'auroc difference'; they have "
        "false_positive_rate difference, selection_rate difference, selection_rate ratio, "
        "true_positive_rate difference",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "name", "told"), ABSENT)
def test_a_rule_about_what_the_data_have_not_fails_with_the_others_and_says_what_there_is(
    rule, name, told
):
    first, second = judge({"quantity": "accuracy", "min": 0.99}, rule)
    assert (first.status, second.status) == ("FAIL", "FAIL")
    assert second.sentence == (
        f"{name} must be in the report (engineering, team: it must read), but {told}; let "
        "the rules of policy.yaml be about these data, or the rule say absent: pass"
    )
    assert gate.failure([first, second]) == f"gate: {first.sentence}; {second.sentence}"


@pytest.mark.parametrize(("rule", "name", "told"), ABSENT)
def test_a_rule_that_may_lack_its_subject_does_not_apply_and_is_told(capsys, rule, name, told):
    judged = judge({"quantity": "accuracy", "min": 0.9}, {**rule, "absent": "pass"})
    assert [one.status for one in judged] == ["PASS", "does not apply"]
    assert judged[1].sentence == f"{name}: {told}"
    assert judged[1].outcome["result"] is None
    assert gate.failure(judged) == ""
    show_gate(judged, TODAY)
    assert f"does not apply: {name}: {told}" in " ".join(capsys.readouterr().err.split())


def test_a_rule_about_other_data_does_not_apply_and_one_about_these_does():
    rule = {"quantity": "accuracy", "min": 0.99}
    judged = judge({**rule, "data": ["mnist", "faces"]}, {**rule, "data": ["mnist", "digits"]})
    assert [one.status for one in judged] == ["does not apply", "FAIL"]
    assert judged[0].sentence == (
        "cnn accuracy: the rule is about mnist, faces, these data are digits"
    )


@pytest.mark.parametrize("absent", ["pass", "fail"])
def test_a_rule_that_has_expired_fails_even_where_it_does_not_apply(absent):
    rule = {"quantity": "f1", "min": 0, "absent": absent, "expires": "2026-04-30"}
    assert [one.status for one in judge(rule)] == ["EXPIRED"]


def test_a_policy_of_which_no_rule_applies_fails():
    judged = judge({"quantity": "accuracy", "min": 0, "data": ["mnist"]})
    assert gate.failure(judged) == (
        "gate: one rule must apply to these data, got 1 that do not; let the rules of policy.yaml "
        "be about these data, or the rule say absent: pass"
    )
