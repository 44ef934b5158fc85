"""`plumbline gate`, and options of `plumbline audit`; tests/standards run the rest."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from plumbline import artifacts
from plumbline.audit.planning.plan import audit_to_plan
from plumbline.cli import main
from tests.artifacts.test_plain_text import hidden


def test_gate_warns_with_code_0_and_fails_where_warnings_do(tmp_path, capsys, caplog):
    gap = {"attribute": "sex", "metric": "true_positive_rate", "comparison": "difference"}
    rule = {
        "model": "fnn", "gap": gap, "source": "engineering", "owner": "us",
        "rationale": "equal chances", "expires": None,
    }  # fmt: skip
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump({"rules": [rule]}))
    found = {**gap, "value": 0.431, "low": -0.217, "high": 0.829, "n": 9, "detectable": 0.784}
    audit = {"gaps": [{**found, "verdict": "inconclusive"}], "n": 60}
    artifacts.write_json(tmp_path / "reports/audits/fnn.json", audit)
    assert main.main(["gate", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().err.endswith("gate: 0 passed, 1 warned, 0 failed\n")
    assert main.main(["gate", "--root", str(tmp_path), "--warnings-fail"]) == 8
    assert caplog.messages[-1] == (
        "gate: fnn true_positive_rate difference by sex: the verdict 'inconclusive' is a warning "
        "(engineering, us: equal chances), got 0.431 [-0.217, 0.829], 'inconclusive', n = 9, "
        "detectable 0.784"
    )


def test_gate_judges_the_reports_as_of_a_day_without_the_pipeline(tmp_path, capsys, caplog):
    rule = {
        "model": "fnn", "quantity": "auroc", "min": 0.5, "source": "engineering", "owner": "us",
        "rationale": "better than chance", "expires": "2030-01-31",
    }  # fmt: skip
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump({"rules": [rule]}))
    report = {"metrics": {"auroc": {"value": 0.8, "low": 0.7, "high": 0.9}}, "n": 40}
    artifacts.write_json(tmp_path / "reports/metrics/fnn.json", report)
    assert main.main(["gate", "--root", str(tmp_path), "--on", "2030-01-31"]) == 0
    assert "0.8 [0.7, 0.9], n = 40" in " ".join(capsys.readouterr().err.split())
    assert main.main(["gate", "--root", str(tmp_path), "--on", "2030-02-01"]) == 8
    assert caplog.messages[-1] == (
        "gate: fnn auroc: rule must not be past its expiry, got 2030-01-31 on 2030-02-01; "
        "us must renew or withdraw it"
    )


def people(folder, n=900, **columns):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "sex": rng.choice(["f", "m"], n),
            "race": rng.choice(list("ABC"), n),
            "y": rng.integers(2, size=n),
            "yhat": rng.integers(2, size=n),
        }
    ).assign(**columns)
    path = folder / "people.csv"
    table.to_csv(path, index=False)
    return ["audit", str(path), "--label", "y", "--decision", "yhat", "--attributes", "sex,race",
            "--intersections", "1"]  # fmt: skip


def asked(words, capsys, *more):
    assert main.main([*words, *more, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def margins(found, comparison="difference"):
    return {gap["margin"] for gap in found["gaps"] if gap["comparison"] == comparison}


def test_the_margins_are_those_asked_for_then_of_the_project_then_of_the_library(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    words = people(tmp_path)
    assert margins(asked(words, capsys)) == {0.1}
    assert margins(asked(words, capsys), "ratio") == {0.8}
    found = asked(words, capsys, "--margin", "0.07", "--ratio-margin", "0.9")
    assert (margins(found), margins(found, "ratio")) == ({0.07}, {0.9})
    own = {
        "metrics": ["accuracy"], "comparison": "difference", "margin": 0.03,
        "source": "engineering", "owner": "us", "rationale": "small here",
    }  # fmt: skip
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump({"rules": [], "margins": [own]}))
    assert margins(asked(words, capsys)) == {0.1}  # a policy.yaml alone is no project
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text("{}")
    assert margins(asked(words, capsys)) == {0.03, None}
    assert margins(asked(words, capsys, "--margin", "0.2")) == {0.2}


def test_a_margin_out_of_range_is_refused(tmp_path, caplog):
    assert main.main([*people(tmp_path), "--ratio-margin", "1.2"]) != 0
    assert caplog.messages[-1] == "audit: margin of a ratio must be in (0, 1), got 1.2"


def test_reference_groups_and_all_pairs_are_in_every_format(tmp_path, capsys):
    words = people(tmp_path)
    free = asked(words, capsys, "--pairs")
    found = asked(words, capsys, "--pairs", "--reference", "race=B", "--reference", "sex=m")
    for audit, pairs in ((free, 3), (found, 2)):
        own = [p for p in audit["pairs"] if (p["attribute"], p["metric"]) == ("race", "accuracy")]
        assert len(own) == 2 * pairs
    assert {pair["other"] for pair in found["pairs"] if pair["attribute"] == "race"} == {"B"}
    assert found["reference"] == {"race": "B", "sex": "m"}
    assert asked(words, capsys, "--reference", "B")["reference"] == {"race": "B"}
    assert "reference" not in free
    table = {(r["attribute"], r["group"], r["metric"]): r for r in found["rows"]}
    row = table["race", "A − B", "accuracy_difference_pair"]
    rates = {g: table["race", g, "accuracy"]["value"] for g in "AB"}
    assert row["value"] == pytest.approx(rates["A"] - rates["B"])
    assert row["low"] < row["value"] < row["high"]
    assert main.main([*words, "--pairs", "--format", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum("_pair," in line for line in lines) == len(free["pairs"])


@pytest.mark.parametrize("given", [("A", "B"), ("race=A", "m"), ("race=A", "race=B")])
def test_references_that_contradict_each_other_are_refused(tmp_path, caplog, given):
    more = [word for one in given for word in ("--reference", one)]
    assert main.main([*people(tmp_path), *more]) == 3
    assert caplog.messages[-1] == (
        "audit: --reference must be one group, or ATTRIBUTE=GROUP once for each attribute, got "
        + ", ".join(given)
    )


def test_the_unknown_are_compared_on_demand_only(tmp_path, capsys):
    words = people(tmp_path, sex=np.where(np.arange(900) % 3 == 0, "", "f"))
    assert {
        gap["verdict"] for gap in asked(words, capsys)["gaps"] if gap["attribute"] == "sex"
    } == {"insufficient"}
    assert "insufficient" not in {
        gap["verdict"]
        for gap in asked(words, capsys, "--compare-unknown")["gaps"]
        if gap["attribute"] == "sex"
    }


def test_the_plan_says_how_many_rows_would_settle_what_is_open(tmp_path, capsys):
    words = [word.replace("sex,race", "sex") for word in people(tmp_path)]
    found = asked(words, capsys, "--plan")
    assert found["plan"] == audit_to_plan(found | {"rows": rows_of_groups(found)})
    assert "plan" not in asked(words, capsys)
    for form in ("table", "md"):
        assert main.main([*words, "--plan", "--format", form]) == 0
        told = capsys.readouterr().out
        assert "Rows that would settle open comparisons" in told
        assert f"{found['plan'][0]['difference']['cases']:,}" in told


def rows_of_groups(found):
    return [row for row in found["rows"] if not row["metric"].endswith(("_difference", "_ratio"))]


def test_the_summary_stands_first_with_remarks_before_all(tmp_path, capsys):
    words = people(tmp_path, yhat=0)
    assert main.main(words) == 0
    title, remark, counted, *_ = capsys.readouterr().out.splitlines()
    assert title.endswith("people.csv: 900 rows, groups by race, sex, 95 % intervals")
    assert remark == (
        "remark: Every row has the decision '0': rates by group have nothing to differ in."
    )
    assert counted.startswith("Gaps between groups: ")
    assert main.main(people(tmp_path)) == 0
    lines = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert lines[-3].startswith("Largest gap of a main metric: ")
    assert lines[-2:] == [
        "Excluded from every comparison: 0 of 5 groups of single attributes, 0 rows.",
        "Four-fifths rule, favourable 1: 0 of 5 groups of single attributes under four fifths of "
        "the highest rate; 1 above it in these rows, not settled.",
    ]


def test_a_group_of_one_and_a_half_percent_of_a_large_file_is_compared(tmp_path, capsys):
    """4,470 of 300,000 people who are selected at .097 against .50."""
    n, few = 300_000, 4470
    table = pd.DataFrame({"group": np.where(np.arange(n) < few, "few", "many")})
    table["y"] = np.arange(n) % 2
    rate = np.where(np.arange(n) < few, 0.097, 0.5)
    table["yhat"] = (np.random.default_rng(0).random(n) < rate).astype(int)
    path = tmp_path / "many.parquet"
    table.to_parquet(path)
    words = ["audit", str(path), "--label", "y", "--decision", "yhat", "--attributes", "group"]
    found = asked(words, capsys)
    assert found["excluded"]["rows"] == 0
    assert found["left_out"] == []
    (gap,) = [
        gap
        for gap in found["gaps"]
        if (gap["metric"], gap["comparison"]) == ("selection_rate", "difference")
    ]
    assert gap["verdict"] == "difference"
    assert gap["value"] == pytest.approx(0.403, abs=0.01)


def test_audit_and_standards_read_the_declared_dialect(tmp_path, capsys, caplog):
    plain = people(tmp_path, p=0.5)
    before = asked([*plain, "--score", "p"], capsys)
    assert main.main(["standards", plain[1], *plain[4:8]]) == 0
    worksheets = capsys.readouterr().out
    path = tmp_path / "people.csv"
    table = pd.read_csv(path).rename(columns={"sex": "séx"})
    table.to_csv(path, sep="\t", decimal=",", index=False, encoding="latin-1")
    words = [word.replace("sex", "séx") for word in plain]
    dialect = ["--delimiter", "tab", "--decimal", ",", "--encoding", "latin-1"]
    found = asked([*words, "--score", "p", *dialect], capsys)
    assert [(row["metric"], row["value"], row["n"]) for row in found["rows"]] == [
        (row["metric"], row["value"], row["n"]) for row in before["rows"]
    ]
    assert main.main(["standards", str(path), *words[4:8], *dialect, "--sex", "séx"]) == 0
    assert capsys.readouterr().out.replace("séx", "sex") == worksheets
    assert main.main([*words, "--score", "p", *dialect[:2], *dialect[4:]]) == 3
    assert caplog.messages[-1] == (
        "audit: column 'p' must be a number in every row, got '0,5' in row 1; correct it, or "
        "declare the decimal and thousands signs"
    )
    assert main.main([*words, "--decimal", "x"]) == 3
    assert caplog.messages[-1] == "table: decimal must be '.' or ',', got 'x'"


def test_gate_prints_a_name_that_a_terminal_would_obey_as_text(tmp_path, capsys):
    """The attribute, and the owner of the rule."""
    name = "\x1b[2J\u202esex"
    gap = {"attribute": name, "metric": "accuracy", "comparison": "difference"}
    rule = {
        "model": "fnn", "gap": gap, "source": "engineering", "owner": f"us{name}",
        "rationale": "equal errors", "expires": None,
    }  # fmt: skip
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump({"rules": [rule]}))
    found = {**gap, "value": 0.1, "low": 0.0, "high": 0.3, "n": 9, "detectable": 0.3}
    audit = {"gaps": [{**found, "verdict": "inconclusive"}], "n": 60}
    artifacts.write_json(tmp_path / "reports/audits/fnn.json", audit)
    assert main.main(["gate", "--root", str(tmp_path)]) == 0
    err = capsys.readouterr().err
    assert not hidden(err.replace("\n", ""))
    assert "\\x1b[2J" in err
