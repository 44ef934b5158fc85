"""The policy and the parameters of laboratories: what is refused, and how it is said."""

import datetime

import pytest
import yaml

from plumbline import catalog, params
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
