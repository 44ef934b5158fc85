"""The gate: what passes, what fails and what it says."""

import datetime

import pytest
import yaml

from plumbline import gate
from plumbline.errors import GateError
from plumbline.params.policy import GateRule
from plumbline.reporting.gate_table import show_gate

METRICS = {
    "cnn": {
        "n": 200,
        "source": "digits",
        "metrics": {
            "accuracy": {"value": 0.91, "low": 0.88, "high": 0.93},
            "auroc": {"value": None, "low": None, "high": None},
            "loss": {"value": 2.0, "low": None, "high": None},
        },
    },
    "fnn": {
        "n": 200,
        "source": "iris",
        "metrics": {"accuracy": {"value": 0.895, "low": 0.8, "high": 0.95}},
    },
}
OTHER = {"model": "fnn", "quantity": "accuracy"}
GAP = {"attribute": "sex", "metric": "selection_rate", "comparison": "difference"}
AUDITS = {
    "cnn": {
        "n": 180,
        "source": "digits",
        "gaps": [
            {**GAP, "value": 0.12, "low": 0.02, "high": 0.2, "verdict": "difference"},
            {**GAP, "comparison": "ratio", "value": 0.5, "low": 0.2, "high": None,
             "verdict": "inconclusive"},
            {**GAP, "attribute": "age", "value": None, "low": None, "high": None,
             "verdict": "insufficient"},
        ]
    }
}  # fmt: skip


TODAY = datetime.date(2026, 5, 1)
STRICT, LENIENT = (
    {"difference": "fail", "insufficient": "fail"},
    {"difference": "pass", "insufficient": "pass"},
)
STATED = {
    "model": "cnn", "source": "engineering", "owner": "team", "rationale": "it must read",
    "expires": None,
}  # fmt: skip
WAIVER = {"who": "A. Person", "why": "the sensor is being replaced", "until": "2026-05-01"}


def check(*rules):
    stated = [{**STATED, **({"verdicts": LENIENT} if "gap" in rule else {})} for rule in rules]
    dumps = [
        GateRule(**{**own, **rule}).model_dump(mode="json")
        for own, rule in zip(stated, rules, strict=True)
    ]
    return gate.check_rules(dumps, metrics=METRICS, audits=AUDITS)


def judge(*rules, on=TODAY):
    return gate.judgements(check(*rules), on)


@pytest.mark.parametrize(
    ("rule", "passed"),
    [
        ({"quantity": "accuracy", "min": 0.91}, True),
        ({"quantity": "accuracy", "min": 0.9, "interval": True}, False),
        ({"quantity": "accuracy", "min": 0.88, "interval": True}, True),
        ({"quantity": "accuracy", "max": 0.92}, True),
        ({"quantity": "accuracy", "max": 0.92, "interval": True}, False),
        ({"quantity": "accuracy", "min": 0.9, "max": 0.905}, False),
        ({"quantity": "auroc", "min": 0.0}, False),
        ({"quantity": "loss", "max": 3.0}, True),
        ({"quantity": "loss", "max": 3.0, "interval": True}, False),
        ({"quantity": "accuracy", "less": OTHER, "min": 0.01}, True),
        ({"quantity": "accuracy", "less": OTHER, "min": 0.02}, False),
        ({"quantity": "auroc", "less": OTHER, "min": -9.0}, False),
        ({"gap": GAP, "max": 0.15}, True),
        ({"gap": GAP, "max": 0.15, "interval": True}, False),
        ({"gap": GAP, "max": 0.15, "verdicts": STRICT}, False),
        ({"gap": {**GAP, "attribute": "age"}, "verdicts": STRICT}, False),
        ({"gap": {**GAP, "comparison": "ratio"}, "verdicts": STRICT}, True),
    ],
)
def test_a_rule_holds_the_value_or_the_nearer_bound(rule, passed):
    assert [outcome["passed"] for outcome in check(rule)["rules"]] == [passed]
    assert [one.status for one in judge(rule)] == ["PASS" if passed else "FAIL"]
    assert (gate.failure(judge(rule)) == "") is passed


@pytest.mark.parametrize(("then", "status"), [("fail", "FAIL"), ("pass", "PASS")])
def test_an_insufficient_gap_does_what_the_rule_says_whatever_its_bounds(then, status):
    verdicts = {"difference": "fail", "insufficient": then}
    rule = {"gap": {**GAP, "attribute": "age"}, "max": 0.1, "verdicts": verdicts}
    assert [one.status for one in judge(rule)] == [status]


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


def test_the_table_on_the_screen_has_a_row_per_rule_and_the_waiver(capsys):
    show_gate(judge(HELD, {**MISSED, "waiver": WAIVER}), TODAY)
    shown = capsys.readouterr().err
    assert "Policy on 2026-05-01" in shown
    assert [word for word in ("PASS", "WAIVED", "engineering: team", "n = 200")
            if word not in shown] == []  # fmt: skip
    assert "waived by A. Person until 2026-05-01" in " ".join(shown.split())


def test_every_missed_rule_is_named_with_its_source_and_interval():
    judged = judge(
        {"quantity": "accuracy", "min": 0.93},
        {"quantity": "accuracy", "min": 0.9},
        {"quantity": "accuracy", "less": OTHER, "min": 0.05},
        {"quantity": "auroc", "min": 0.5, "source": "guideline", "rationale": "better than chance"},
        {"gap": GAP, "max": 0.1, "interval": True, "verdicts": STRICT},
        {"gap": {**GAP, "comparison": "ratio"}, "min": 0.8, "source": "legal",
         "rationale": "four fifths"},
    )  # fmt: skip
    assert gate.failure(judged) == (
        "gate: cnn accuracy must be >= 0.93 (engineering, team: it must read), "
        "got 0.91 [0.88, 0.93], n = 200; "
        "cnn accuracy less fnn accuracy must be >= 0.05 (engineering, team: it must read), "
        "got 0.015, n = 200; "
        "cnn auroc must be >= 0.5 (guideline, team: better than chance), got undefined, n = 200; "
        "cnn selection_rate difference by sex must be <= 0.1 with its interval and not have the "
        "verdict 'difference' or 'insufficient' (engineering, team: it must read), "
        "got 0.12 [0.02, 0.2], 'difference', n = 180; "
        "cnn selection_rate ratio by sex must be >= 0.8 (legal, team: four fifths), "
        "got 0.5 [0.2, ∞], 'inconclusive', n = 180"
    )


def test_the_report_keeps_rule_and_finding():
    (outcome,) = check({"quantity": "accuracy", "min": 0.9})["rules"]
    assert outcome == {
        "model": "cnn",
        "quantity": "accuracy",
        "value": 0.91,
        "low": 0.88,
        "high": 0.93,
        "min": 0.9,
        "max": None,
        "interval": False,
        "n": 200,
        "verdict": None,
        "verdicts": None,
        "source": "engineering",
        "owner": "team",
        "rationale": "it must read",
        "expires": None,
        "waiver": None,
        "absent": None,
        "passed": True,
    }


def test_no_rules_are_kept():
    assert check() == {"rules": []}
    assert gate.failure(judge()) == ""


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
        "these data have no metric 'auroc difference'; they have selection_rate difference, "
        "selection_rate ratio",
    ),
    (
        {"gap": {**GAP, "metric": "auroc", "attribute": "*"}, "max": 1},
        "cnn auroc difference by *",
        "these data have no metric 'auroc difference'; they have selection_rate difference, "
        "selection_rate ratio",
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
    assert judged[1].outcome["passed"] is None
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


def test_a_rule_about_every_attribute_is_held_against_each_that_is_no_intersection():
    crossed = {**GAP, "attribute": "age×sex", "value": 0.5, "low": 0.4, "high": 0.6,
               "verdict": "difference"}  # fmt: skip
    rule = {**STATED, "gap": {**GAP, "attribute": "*"}, "verdicts": STRICT}
    dump = GateRule(**rule).model_dump(mode="json")
    audit = {**AUDITS["cnn"], "gaps": [*AUDITS["cnn"]["gaps"], crossed]}
    report = gate.check_rules([dump], metrics=METRICS, audits={"cnn": audit})
    assert [(r["quantity"], r["verdict"], r["passed"]) for r in report["rules"]] == [
        ("selection_rate difference by sex", "difference", False),
        ("selection_rate difference by age", "insufficient", False),
    ]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"min": 0.0}, "a rule must have either a quantity or a gap, got neither"),
        ({"quantity": "a", "gap": GAP, "min": 0.0},
         "a rule must have either a quantity or a gap, got both"),
        (
            {"quantity": "a", "less": OTHER, "min": 0.0, "interval": True},
            "less must stand with a quantity and without interval, got another",
        ),
        (
            {"quantity": "a", "verdicts": STRICT},
            "verdicts must stand with a gap, got a quantity",
        ),
        (
            {"gap": GAP, "max": 0.1, "verdicts": None},
            "verdicts must stand with a gap, got a gap without them",
        ),
        ({"gap": GAP}, "a rule must have min or max, got neither"),
    ],
)  # fmt: skip
def test_a_rule_has_one_subject(rule, message):
    with pytest.raises(ValueError, match=message):
        check(rule)


def test_the_default_policy_about_groups_is_about_those_of_any_data(root):
    rules = yaml.safe_load((root / "policy.yaml").read_text(encoding="utf-8"))["rules"]
    about_groups = [rule for rule in rules if "gap" in rule]
    assert [rule["gap"]["attribute"] for rule in about_groups] == ["*", "*"]
    assert not any("data" in rule for rule in about_groups)
