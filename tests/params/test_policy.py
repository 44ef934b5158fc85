"""The policy and the parameters of laboratories: what is refused, and how it is said."""

import datetime

import pytest
import yaml

from plumbline import catalog, names, params
from plumbline.audit.options import MARGINS, declared_margins
from plumbline.errors import ParamsError
from plumbline.params.policy import Policy
from plumbline.params.studies import STUDIES


@pytest.fixture
def raw(root):
    return yaml.safe_load((root / "policy.yaml").read_text(encoding="utf-8"))


def faults(raw, model=Policy, where="policy.yaml"):
    with pytest.raises(ParamsError) as caught:
        params.validate(model, raw, where)
    return str(caught.value).split("\n")


def test_a_gate_rule_without_a_bound_is_refused(raw):
    raw["rules"] = [
        {
            "model": "fnn", "quantity": "auroc", "source": "legal", "owner": "us",
            "rationale": "because", "expires": None,
        }
    ]  # fmt: skip
    assert faults(raw) == ["policy.yaml: rules.0: a rule must have min or max, got neither"]


def test_a_rule_of_the_policy_has_an_owner_and_says_when_it_ends(raw):
    (rule,) = raw["rules"] = [dict(raw["rules"][0])]
    del rule["owner"]
    rule["expires"] = datetime.date(2030, 12, 31)
    rule["waiver"] = {"who": "x", "why": "", "until": "soon"}
    assert faults(raw) == [
        "policy.yaml: rules.0.owner must be given, got nothing",
        "policy.yaml: rules.0.expires: must stand in quotes, got 2030-12-31; "
        "DVC reads no bare date",
        "policy.yaml: rules.0.waiver.why must be not empty, got ''",
        "policy.yaml: rules.0.waiver.until must be a date like 2030-12-31, got 'soon'",
    ]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"model": "fmm"}, f"model must be one of {', '.join(catalog.models())}, got 'fmm'"),
        ({"model": "fnn", "data": ["iris", "digits"]},
         "data must be sources of data_tabular, which fnn learns from, got 'digits'"),
    ],
)  # fmt: skip
def test_a_rule_of_the_policy_is_about_a_model_and_its_data(raw, change, fault):
    raw["rules"][1] = raw["rules"][0] | change
    assert faults(raw) == [f"policy.yaml: rules.1.{fault}"]


MARGIN = {
    "metrics": ["auroc"], "comparison": "ratio", "margin": 0.8, "source": "legal", "owner": "us",
    "rationale": "because",
}  # fmt: skip


@pytest.mark.parametrize(
    ("margins", "fault"),
    [
        ([{**MARGIN, "margin": 1.25}], "margins.0: margin of a ratio must be in (0, 1), got 1.25"),
        ([{**MARGIN, "margin": 0}], "margins.0.margin must be > 0, got 0"),
        ([{**MARGIN, "metrics": ["speed"]}],
         f"margins.0: metrics must be of {', '.join(names.COMPARED)}, got 'speed'"),
        ([MARGIN, {**MARGIN, "comparison": "difference"}, {**MARGIN, "margin": 0.9}],
         " margins.2.metrics must have one margin each, got another for the ratio of 'auroc'"),
        ([{key: MARGIN[key] for key in MARGIN if key != "rationale"}],
         "margins.0.rationale must be given, got nothing"),
    ],
)  # fmt: skip
def test_a_margin_is_in_its_range_about_one_comparison_and_gives_its_rationale(raw, margins, fault):
    raw["margins"] = margins
    assert [one.replace("policy.yaml:", "") for one in faults(raw)] == [
        fault if fault.startswith(" ") else f" {fault}"
    ]


def test_the_policy_declares_the_margins_that_are_the_librarys_own(raw):
    policy = params.validate(Policy, raw, "policy.yaml")
    assert declared_margins(policy.margins) == MARGINS


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"kind": "grouped"}, "group must be a column with kind grouped, got None"),
        ({"order": "day"}, "order must be null with kind stratified, got 'day'"),
    ],
)
def test_a_scheme_of_folds_has_its_column_and_no_other(root, change, fault):
    where = "studies/fairness/params.yaml"
    raw = yaml.safe_load((root / where).read_text(encoding="utf-8"))
    raw["cross_validation"] |= change
    assert faults(raw, STUDIES["fairness"], where) == [f"{where}: cross_validation: {fault}"]
