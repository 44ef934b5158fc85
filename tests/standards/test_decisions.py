"""`plumbline audit`: other people's decisions, in every format, equal to fairlearn."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.cli import main
from tests.audit import tables
from tests.audit.external.test_decisions import people, written

RATES = (
    "selection_rate", "true_positive_rate", "false_positive_rate", "true_negative_rate",
    "false_negative_rate", "positive_predictive_value", "negative_predictive_value", "accuracy",
)  # fmt: skip


def audit(path, capsys, *more, form="json"):
    words = ["audit", str(path), "--label", "y", "--decision", "yhat", "--attributes", "sex,race"]
    assert main.main([*words, "--replicates", "200", "--format", form, *more]) == 0
    return capsys.readouterr().out


def rows_of(text):
    return {(r["attribute"], r["group"], r["metric"]): r for r in json.loads(text)["rows"]}


def test_rates_and_gaps_are_fairlearns(tmp_path, capsys):
    from fairlearn import metrics as peer

    table = people(2000)
    rows = rows_of(audit(written(tmp_path, table), capsys))
    measures = {
        "selection_rate": peer.selection_rate,
        "true_positive_rate": peer.true_positive_rate,
        "false_positive_rate": peer.false_positive_rate,
        "true_negative_rate": peer.true_negative_rate,
        "false_negative_rate": peer.false_negative_rate,
        "accuracy": lambda y, d: float(np.mean(y == d)),
    }
    for attribute in (["sex"], ["race"], ["race", "sex"]):
        frame = peer.MetricFrame(
            metrics=measures,
            y_true=table["y"],
            y_pred=table["yhat"],
            sensitive_features=table[attribute],
        )
        name = "×".join(attribute)
        for metric in measures:
            for group, value in frame.by_group[metric].items():
                label = group if isinstance(group, str) else "×".join(group)
                assert rows[name, label, metric]["value"] == pytest.approx(value, abs=1e-12)
            gaps = {key[2]: row for key, row in rows.items() if key[0] == name}
            difference, ratio = frame.difference()[metric], frame.ratio()[metric]
            assert gaps[f"{metric}_difference"]["value"] == pytest.approx(difference, abs=1e-12)
            assert gaps[f"{metric}_ratio"]["value"] == pytest.approx(ratio, abs=1e-12)


@pytest.mark.no_cover
def test_weighted_rates_are_fairlearns(tmp_path, capsys):
    from fairlearn import metrics as peer

    table = people(2000)
    rows = rows_of(audit(written(tmp_path, table), capsys, "--weight", "w"))
    frame = peer.MetricFrame(
        metrics=peer.selection_rate, y_true=table["y"], y_pred=table["yhat"],
        sensitive_features=table["race"], sample_params={"sample_weight": table["w"]},
    )  # fmt: skip
    for group, value in frame.by_group.items():
        found = rows["race", group, "selection_rate"]
        assert found["value"] == pytest.approx(value, abs=1e-12)
        # Unequal weights are worth fewer rows.
        plain = rows_of(audit(written(tmp_path, table), capsys))["race", group, "selection_rate"]
        assert found["high"] - found["low"] > plain["high"] - plain["low"]


@pytest.mark.no_cover
def test_the_formats_have_the_same_rows(tmp_path, capsys):
    path = written(tmp_path, people(400), "csv")
    from_json = json.loads(audit(path, capsys, "--score", "p"))["rows"]
    assert list(from_json[0]) == [
        "attribute", "group", "metric", "value", "low", "high", "n", "verdict",
    ]  # fmt: skip
    from_csv = list(csv.DictReader(io.StringIO(audit(path, capsys, "--score", "p", form="csv"))))
    assert len(from_csv) == len(from_json)
    for one, other in zip(from_json, from_csv, strict=True):
        assert (one["attribute"], one["group"], one["metric"]) == (
            other["attribute"], other["group"], other["metric"],
        )  # fmt: skip
        assert other["value"] == ("" if one["value"] is None else repr(one["value"]))
    text = audit(path, capsys, "--score", "p", "--full", form="table")
    lines = text.splitlines()
    assert lines[0] == "decisions.csv: 400 rows, groups by race, sex, 95 % intervals"
    assert lines[lines.index("") + 1].split() == [
        "attribute", "group", "metric", "value", "low", "high", "n", "verdict",
    ]  # fmt: skip
    assert any(line.startswith("race×sex") and "A×Female" in line for line in lines)
    page = audit(path, capsys, form="md")
    assert page.startswith("# Audit of decisions\n")
    assert "## Four-fifths rule" in page
    assert {*RATES, names.AUROC} <= {row["metric"] for row in from_json}


def test_a_terminal_gets_a_summary_and_a_file_gets_all(tmp_path, capsys):
    table = people(3000)
    chosen = table["race"].map({"A": 0.8, "B": 0.5, "C": 0.1}) + 0.1 * (table["sex"] == "Male")
    table["yhat"] = (np.random.default_rng(3).random(3000) < chosen).astype(int)
    path, out = written(tmp_path, table), tmp_path / "audit.txt"
    lines = audit(path, capsys, "--score", "p", form="table").splitlines()
    assert len(lines) <= 26
    found = json.loads(audit(path, capsys, "--score", "p"))
    assert lines.index("") == 5 + len(found["remarks"])
    gaps = [gap for gap in found["gaps"] if gap["comparison"] == "difference"]
    main_metrics = {"selection_rate", "true_positive_rate", "false_positive_rate", "accuracy"}
    shown = [
        gap
        for gap in gaps
        if gap["verdict"] == "difference"
        or (
            gap["metric"] in main_metrics
            and "×" not in gap["attribute"]
            and gap["verdict"] in ("inconclusive", "insufficient")
        )
    ]
    rows = [line.split() for line in lines[lines.index("") + 2 :]]
    assert rows[0][:4] == ["attribute", "metric", "lowest", "highest"]
    assert rows[1][:4] == ["race", "selection_rate", "C", "A"]
    assert rows[1][-1] == "difference"
    assert [line for line in lines if line.startswith("…")] == [f"… and {len(shown) - 12} more"]
    assert "under four fifths of the highest rate: race B" in "\n".join(lines)
    assert lines[-1].startswith(f"All {len(found['rows'])} values and gaps")
    assert "--full" in lines[-1]
    assert audit(path, capsys, "--score", "p", "--out", str(out), form="table") == ""
    assert out.read_text() == audit(path, capsys, "--score", "p", "--full", form="table")
    assert len(out.read_text().splitlines()) > len(found["rows"])


def test_groups_of_an_intersection_whose_values_hold_its_sign_stay_apart(tmp_path, capsys):
    """``a`` and ``b×c``, and ``a×b`` and ``c``, were both ``a×b×c``: the widest gap was lost."""
    selected = {("a", "b×c"): 90, ("a×b", "c"): 10, ("a", "c"): 50, ("a×b", "b×c"): 50}
    rows = [
        {"race": race, "sex": sex, "y": i % 2, "yhat": int(i < count)}
        for (race, sex), count in selected.items()
        for i in range(100)
    ]
    found = json.loads(audit(written(tmp_path, pd.DataFrame(rows)), capsys))
    (gap,) = [
        gap
        for gap in found["gaps"]
        if (gap["attribute"], gap["metric"], gap["comparison"])
        == ("race×sex", "selection_rate", "difference")
    ]
    assert (gap["lowest"], gap["highest"]) == ('"a×b"×c', 'a×"b×c"')
    assert gap["value"] == pytest.approx(0.8)


def test_the_summary_says_which_groups_the_four_fifths_rule_does_not_settle(tmp_path, capsys):
    def line(*selected):
        sizes = {"A": 990, "B": 1000, "C": 10}
        rows = [
            {"race": race, "y": i % 2, "yhat": int(i < count)}
            for (race, n), count in zip(sizes.items(), selected, strict=True)
            for i in range(n)
        ]
        path = written(tmp_path, pd.DataFrame(rows))
        words = ["audit", str(path), "--label", "y", "--decision", "yhat", "--attribute", "race"]
        assert main.main(words) == 0
        out = capsys.readouterr().out.splitlines()
        return next(text for text in out if text.startswith("Four-fifths rule"))

    # 0.41 of 0.5 is 0.82; 10 of 2000 rows are half a percent.
    head = "Four-fifths rule, favourable 1: 0 of 3 groups of single attributes under four fifths "
    assert line(406, 500, 5) == (
        f"{head}of the highest rate; 1 above it in these rows, not settled; 1 under 2 % of the "
        "rows, not judged."
    )
    assert line(0, 0, 0) == f"{head}of the highest rate; 3 undefined, as nobody was selected."
    assert line(495, 500, 0) == f"{head}of the highest rate; 1 under 2 % of the rows, not judged."


def test_a_table_without_two_groups_of_enough_cases_is_said_to_have_no_gap(tmp_path, capsys):
    rows = {"a,b": ["x", "y"] * 6, "y": [0, 1, 1] * 4, "yhat": [0, 1] * 6}
    path = written(tmp_path, pd.DataFrame(rows))
    words = ["audit", str(path), "--label", "y", "--decision", "yhat", "--attribute", "a,b"]
    assert main.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'decisions.parquet: 12 rows, groups by "a,b", 95 % intervals'
    assert lines[-2] == (
        "No gap could be computed: no two groups have enough cases. A gap shows neither its cause "
        "nor whether it does harm."
    )


@pytest.mark.no_cover
def test_groups_that_are_pooled_are_in_the_summary(tmp_path, capsys):
    table = people(6000).assign(sex=[f"g{i % 600}" for i in range(6000)])
    path = written(tmp_path, table)
    words = ["audit", str(path), "--label", "y", "--decision", "yhat", "--attributes", "sex"]
    assert main.main(words) == 0
    assert "Pooled, described and not compared: (101 smaller groups) of sex." in (
        capsys.readouterr().out.splitlines()
    )


NO_LABELS = (
    "There is no column of true outcomes: selection rates are compared; error rates, and whether a "
    "gap is deserved, cannot be known."
)


def unlabelled(path, capsys, *more):
    words = ["audit", str(path), "--attributes", "sex,race", "--format", "json", *more]
    assert main.main(words) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.no_cover
@pytest.mark.parametrize("more", [("--decision", "yhat"), ("--score", "p", "--threshold", "0.4")])
def test_decisions_without_labels_have_selection_rates_and_no_errors(tmp_path, capsys, more):
    from fairlearn.metrics import demographic_parity_difference, demographic_parity_ratio

    table = people(2000)
    chosen = table["p"] >= 0.4 if "p" in more else table["yhat"]
    found = unlabelled(written(tmp_path, table), capsys, *more, "--search", "2")
    assert {row["metric"].split("_difference")[0].split("_ratio")[0] for row in found["rows"]} == {
        "selection_rate"
    }
    assert found["remarks"][0] == NO_LABELS
    assert (found["counts"], found["causes"], found["roc"]) == ([], [], [])
    assert {entry["metric"] for entry in found["subgroups"]} == {"selection_rate"}
    gaps = {(gap["attribute"], gap["comparison"]): gap for gap in found["gaps"]}
    for name, measure in (
        ("difference", demographic_parity_difference), ("ratio", demographic_parity_ratio),
    ):  # fmt: skip
        expected = measure(chosen, chosen, sensitive_features=table["race"])
        assert gaps["race", name]["value"] == pytest.approx(expected)
        assert gaps["race", name]["verdict"] in names.VERDICTS
    labelled = unlabelled(tmp_path / "decisions.parquet", capsys, *more, "--label", "y")
    assert labelled["four_fifths"] == found["four_fifths"]
    rates = [row for row in labelled["rows"] if row["metric"] == "selection_rate"]
    assert [row["value"] for row in found["rows"] if row["metric"] == "selection_rate"] == [
        row["value"] for row in rates
    ]


def test_counts_without_labels_are_audited_again(tmp_path, capsys):
    path, counts = written(tmp_path, people(700)), tmp_path / "counts.parquet"
    more = ("--decision", "yhat", "--score", "p")
    found = unlabelled(path, capsys, *more, "--counts", str(counts))
    assert main.main(["audit", str(counts), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == found["rows"]
    assert main.main(["audit", str(counts), "--format", "json", "--threshold", "0.8"]) == 0
    again = rows_of(capsys.readouterr().out)
    assert again["overall", "all", "selection_rate"]["value"] == (people(700)["p"] >= 0.8).mean()


def test_many_decisions_without_labels_have_a_selection_rate_each(tmp_path, capsys):
    table = people(900).assign(yhat=np.random.default_rng(0).choice(list("xyz"), 900))
    path = written(tmp_path, table)
    found = unlabelled(path, capsys, "--decision", "yhat", "--multiclass")
    rows = {(r["attribute"], r["group"], r["metric"]): r for r in found["rows"]}
    own = table[table["sex"] == "Male"]
    assert rows["sex", "Male", "selection_rate/x"]["value"] == pytest.approx(
        (own["yhat"] == "x").mean()
    )
    assert not [key for key in rows if not key[2].startswith("selection_rate/")]


def test_few_decisions_without_labels_are_remarked(tmp_path, capsys):
    table = people(1000).assign(yhat=(np.arange(1000) < 3).astype(int))
    found = unlabelled(written(tmp_path, table), capsys, "--decision", "yhat")
    assert found["remarks"][1] == (
        "Decisions select almost nobody: 3 of 1,000 rows (0.3 %) get the decision '1'. Verdicts on "
        "such decisions say next to nothing about groups."
    )


def test_a_file_whose_decision_is_not_named_is_told(tmp_path, capsys, caplog):
    path = written(tmp_path, people(50), "csv")
    assert main.main(["audit", str(path), "--attributes", "sex"]) == 3
    assert caplog.records[-1].getMessage() == (
        "audit: a decision must be given, got none; name a column by --decision, or a score and "
        "--threshold"
    )
    assert main.main(["audit", str(path)]) == 3
    assert caplog.records[-1].getMessage() == (
        "audit: columns of decisions.csv must be named, got none; name them by --decision, "
        "--attributes and, where the truth is known, --label"
    )


@pytest.mark.no_cover
@pytest.mark.parametrize("reverse", [False, True])
def test_a_score_of_1_to_10_ranks_and_has_no_calibration(tmp_path, capsys, reverse):
    table = people(3000)
    table["y"] = (np.random.default_rng(1).random(3000) < table["p"]).astype(int)
    decile = np.ceil(10 * table["p"])
    table["p"] = 11 - decile if reverse else decile
    path = written(tmp_path, table)
    found = json.loads(audit(path, capsys, "--score", "p"))
    metrics = {row["metric"] for row in found["rows"]}
    assert names.AUROC in metrics
    assert not metrics & {names.ECE, names.CALIBRATION_IN_THE_LARGE}
    assert found["remarks"][0] == (
        "Scores, from 1 to 10, are taken as an order, not as probabilities: there is no "
        "calibration."
    )
    turned = [text for text in found["remarks"] if "the negative score would have" in text]
    assert len(turned) == reverse
    unit = written(tmp_path, table.assign(p=table["p"] / 10), "csv")
    with_calibration = json.loads(audit(unit, capsys, "--score", "p"))
    assert names.ECE in {row["metric"] for row in with_calibration["rows"]}
    without = json.loads(audit(unit, capsys, "--score", "p", "--no-calibration"))
    assert without["rows"] == found["rows"]


@pytest.mark.parametrize(("n", "verdict"), [(80, "inconclusive"), (8, "insufficient")])
def test_main_metrics_that_are_not_settled_are_in_the_summary(tmp_path, capsys, n, verdict):
    text = audit(written(tmp_path, people(n)), capsys, form="table")
    rows = [line.split() for line in text.splitlines() if line.startswith("sex  ")]
    assert [(row[1], row[-1]) for row in rows] == [
        (metric, verdict)
        for metric in ("selection_rate", "true_positive_rate", "false_positive_rate", "accuracy")
    ]


def test_a_group_without_positives_is_null_and_insufficient(tmp_path, capsys):
    table = people(600)
    table.loc[table["sex"] == "Male", "y"] = 0
    found = json.loads(audit(written(tmp_path, table), capsys))
    rows = {(r["attribute"], r["group"], r["metric"]): r for r in found["rows"]}
    row = rows["sex", "Male", "true_positive_rate"]
    assert (row["value"], row["low"], row["high"], row["n"]) == (None, None, None, 0)
    assert row["verdict"] == "insufficient"
    assert rows["sex", "", "true_positive_rate_difference"]["verdict"] == "insufficient"
    assert {
        "attribute": "sex", "group": "Male", "metric": "true_positive_rate", "n": 0,
        "reason": "0 positives, under 10",
    } in found["left_out"]  # fmt: skip
    assert rows["sex", "Male", "selection_rate"]["verdict"] in ("inconclusive", "equivalent")


def test_unknown_values_and_small_groups_have_their_own_reasons(tmp_path, capsys):
    table = people(2000)
    table["race"] = table["race"].astype(object)
    table.loc[:99, "race"] = None
    table.loc[100:104, "race"] = "D"
    table.loc[105:129, "race"] = "E"
    found = json.loads(audit(written(tmp_path, table), capsys))
    reasons = {e["group"]: e["reason"] for e in found["left_out"] if e["attribute"] == "race"}
    # E has 25 rows: however small a share of all they are, they are compared.
    assert reasons == {"unknown": "unknown attribute", "D": "5 rows, under 10"}
    assert found["excluded"] == {"groups": 2, "of": 8, "rows": 105}
    rows = {(r["attribute"], r["group"], r["metric"]): r for r in found["rows"]}
    assert rows["race", "unknown", "selection_rate"]["n"] == 100
    assert rows["race", "unknown", "selection_rate"]["verdict"] == "insufficient"
    (sheet,) = [s for s in found["four_fifths"] if s["attribute"] == "race"]
    assert sheet["unknown"] == 100


def test_a_planted_difference_is_found_and_nothing_else(tmp_path, capsys):
    table = people(6000)
    rng = np.random.default_rng(1)
    table["yhat"] = (rng.random(6000) < np.where(table["sex"] == "Male", 0.6, 0.4)).astype(int)
    rows = rows_of(audit(written(tmp_path, table), capsys))
    row = rows["sex", "Male − Female", "selection_rate_difference"]
    assert row["verdict"] == "difference"
    assert row["low"] < 0.2 < row["high"]
    assert row["n"] == 6000
    assert rows["sex", "Female / Male", "selection_rate_ratio"]["value"] < 0.8
    (race,) = [row for key, row in rows.items() if key[0] == "race"
               and key[2] == "selection_rate_difference"]  # fmt: skip
    assert race["verdict"] == "equivalent"  # 2,000 rows a group settle a margin of 0.1


def test_entities_widen_intervals(tmp_path, capsys):
    table = people(300)
    table["who"] = np.arange(300)
    four = pd.concat([table] * 4, ignore_index=True)
    once = rows_of(audit(written(tmp_path, table), capsys))
    again = rows_of(audit(written(tmp_path, four), capsys, "--entity", "who"))
    key = ("sex", "Male", "selection_rate")
    assert again[key]["value"] == once[key]["value"]
    width = [row[key]["high"] - row[key]["low"] for row in (once, again)]
    assert width[0] == pytest.approx(width[1], rel=0.03)


@pytest.mark.no_cover
def test_the_four_fifths_rule_counts_heads_and_takes_entities_together(tmp_path, capsys):
    table = people(300).assign(w=np.random.default_rng(5).gamma(2, size=300), who=np.arange(300))
    plain = json.loads(audit(written(tmp_path, table), capsys))["four_fifths"]
    heads = json.loads(audit(written(tmp_path, table), capsys, "--weight", "w"))
    assert (heads["four_fifths"], heads["weighted"]) == (plain, True)
    shown = audit(written(tmp_path, table), capsys, "--weight", "w", "--full", form="table")
    assert "Fisher's p, each by itself; unweighted: the rule speaks of persons" in shown
    four = pd.concat([table] * 4, ignore_index=True)
    again = json.loads(audit(written(tmp_path, four), capsys, "--entity", "who"))
    assert again["entities"] == 300
    for one, other in zip(plain[0]["rows"], again["four_fifths"][0]["rows"], strict=True):
        assert (other["n"], other["ratio"]) == (4 * one["n"], one["ratio"])
        assert other["p_value"] == pytest.approx(one["p_value"] or 0, abs=0.15) or (
            one["p_value"] is None
        )
    shown = audit(written(tmp_path, four), capsys, "--entity", "who", "--full", form="table")
    assert "p of rates with rows of one entity taken together" in shown


def test_favourable_is_for_the_four_fifths_rule_and_positive_for_rates(tmp_path, capsys):
    path = written(tmp_path, people(500))
    plain = json.loads(audit(path, capsys))
    both = json.loads(audit(path, capsys, "--positive", "1", "--favourable", "0"))
    assert both["rows"] == plain["rows"]
    for one, other in zip(
        plain["four_fifths"][0]["rows"], both["four_fifths"][0]["rows"], strict=True
    ):
        assert one["selected"] + other["selected"] == one["n"]
    other = rows_of(audit(path, capsys, "--favourable", "0"))
    one = rows_of(audit(path, capsys))
    key = ("race", "A", "true_positive_rate")
    assert other[key]["value"] == one["race", "A", "true_negative_rate"]["value"]


def test_many_classes_are_audited_each_against_the_rest(tmp_path, capsys):
    rng = np.random.default_rng(0)
    table = people(900).assign(y=rng.choice(list("xyz"), 900), yhat=rng.choice(list("xyz"), 900))
    rows = rows_of(audit(written(tmp_path, table), capsys, "--multiclass"))
    own = table[table["sex"] == "Male"]
    expected = ((own["y"] == "x") & (own["yhat"] == "x")).sum() / (own["y"] == "x").sum()
    assert rows["sex", "Male", "true_positive_rate/x"]["value"] == pytest.approx(expected)
    assert rows["sex", "Male", "accuracy"]["value"] == pytest.approx(
        (own["y"] == own["yhat"]).mean()
    )


def test_the_report_can_go_to_a_file_and_errors_are_one_line(tmp_path, capsys, caplog):
    path, out = written(tmp_path, people(200)), tmp_path / "deep/audit.csv"
    assert audit(path, capsys, "--out", str(out), form="csv") == ""
    assert out.read_text(encoding="utf-8").startswith("attribute,group,metric,value,low,high,n")
    words = ["audit", str(path), "--label", "y", "--attributes", "sex", "--decision"]
    assert main.main([*words, "nothing"]) == 3
    assert "decision must be a column of decisions.parquet" in caplog.records[-1].getMessage()
    assert main.main(["audit", str(path), "--label", "y", "--attributes", "sex"]) == 3
    assert "a decision must be given" in caplog.records[-1].getMessage()


def test_a_name_that_a_terminal_would_obey_is_shown_as_text(tmp_path, capsys):
    table = people(300)
    table["sex"] = table["sex"].replace({"Male": "\x1b[2J\x07bad\nline"})
    text = audit(written(tmp_path, table), capsys, form="table")
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\\x1b[2J\\x07bad line" in text


def test_the_command_imports_nothing_heavy(tmp_path):
    path = written(tmp_path, people(200))
    program = (
        "import sys; from plumbline.cli.main import main; main(sys.argv[1:]); "
        "heavy = {'torch', 'mlflow', 'pytorch_lightning', 'dvc', 'matplotlib', 'sklearn'}; "
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    words = ["audit", str(path), "--label", "y", "--decision", "yhat", "--attributes", "sex"]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.no_cover
@pytest.mark.parametrize("more", [(), ("--weight", "w"), ("--entity", "who")])
def test_counts_suffice_to_audit_again(tmp_path, capsys, more):
    path, counts = written(tmp_path, people(700)), tmp_path / "counts.parquet"
    first = audit(path, capsys, "--score", "p", *more, "--counts", str(counts))
    assert main.main(["audit", str(counts), "--replicates", "200", "--format", "json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["rows"] == json.loads(first)["rows"]


@pytest.mark.no_cover
def test_another_threshold_is_tried_without_the_data(tmp_path, capsys):
    path, counts = written(tmp_path, people(700)), tmp_path / "counts.parquet"
    audit(path, capsys, "--score", "p", "--counts", str(counts))
    moved = rows_of(audit(path, capsys, "--score", "p", "--threshold", "0.8"))
    words = ["audit", str(counts), "--threshold", "0.8", "--replicates", "200", "--format", "json"]
    assert main.main(words) == 0
    assert rows_of(capsys.readouterr().out) == moved
    assert moved["overall", "all", "selection_rate"]["value"] == (people(700)["p"] >= 0.8).mean()


def test_a_table_whose_columns_are_not_named_is_told(tmp_path, caplog):
    path = written(tmp_path, people(50))
    assert main.main(["audit", str(path)]) == 4
    assert caplog.records[-1].getMessage() == (
        "decisions.parquet: file must be a contingency table, got a table; name its columns by "
        "--label, --decision and --attributes"
    )


@pytest.mark.no_cover
def test_a_planted_subgroup_is_found_and_told_in_every_format(tmp_path, capsys):
    table = people(6000)
    table["age"] = np.where(np.arange(6000) % 3 == 0, "old", "young")
    own = (table["sex"] == "Female") & (table["race"] == "B") & (table["age"] == "old")
    rng = np.random.default_rng(5)
    table["yhat"] = (rng.random(6000) < 0.5 - 0.3 * own).astype(int)
    path, more = written(tmp_path, table), ("--attributes", "sex,race,age", "--search", "3")
    first = json.loads(audit(path, capsys, *more))["subgroups"][0]
    assert first["subgroup"] == {"age": "old", "race": "B", "sex": "Female"}
    assert first["verdict"] == "difference"
    for extra in (("--weight", "w"), ("--entity", "who"), ("--multiclass",)):
        again = json.loads(audit(path, capsys, *more, *extra))["subgroups"][0]
        assert again["subgroup"] == first["subgroup"]
        assert again["verdict"] == "difference"
    assert "age old, race B, sex Female" in audit(path, capsys, *more, form="table")
    assert "| age old, race B, sex Female | selection\\_rate |" in audit(
        path, capsys, *more, form="md"
    )


def test_regressions_and_texts_come_in_the_same_rows(tmp_path, capsys):
    numbers = tables.numbers(n=600, bias=(0.0, 0.5)).table
    words = ["audit", str(written(tmp_path, numbers)), "--format", "json", "--attributes", "sex"]
    assert main.main([*words, "--label", "y_true", "--decision", "y_pred", "--regression"]) == 0
    rows = rows_of(capsys.readouterr().out)
    residual = numbers["y_pred"] - numbers["y_true"]
    expected = residual[numbers["sex"] == "male"].mean()
    assert rows["sex", "male", "mean_residual"]["value"] == pytest.approx(expected)
    assert rows["sex", "male − female", "mean_residual_difference"]["verdict"] == "difference"
    texts = tables.documents({"a": [1.0] * 20, "b": [2.0] * 20}).table
    words[1], words[-1] = str(written(tmp_path, texts)), "part"
    more = ["--nll", "nll", "--characters", "characters", "--entity", "document_id"]
    assert main.main([*words, *more]) == 0
    rows = rows_of(capsys.readouterr().out)
    own = texts[texts["part"] == "a"]
    expected = own["nll"].sum() / np.log(2) / own["characters"].sum()
    assert rows["part", "a", "bits_per_character"]["value"] == pytest.approx(expected)
    assert rows["part", "b − a", "bits_per_character_difference"]["verdict"] == "difference"


def test_a_regression_of_weighted_rows_of_entities_is_told_as_such(tmp_path, capsys):
    table = tables.numbers(n=600, bias=(0.0, 0.5)).table
    table = table.assign(w=np.arange(600) % 3 + 1, who=np.arange(600) // 3)
    path = str(written(tmp_path, table))
    words = ["audit", path, "--attributes", "sex", "--label", "y_true", "--decision", "y_pred",
             "--regression", "--weight", "w", "--entity", "who"]  # fmt: skip
    assert main.main([*words, "--format", "json"]) == 0
    told = capsys.readouterr().out
    assert (json.loads(told)["n"], json.loads(told)["entities"]) == (600, 200)
    men = table[table["sex"] == "male"]
    expected = np.average(men["y_pred"] - men["y_true"], weights=men["w"])
    assert rows_of(told)["sex", "male", "mean_residual"]["value"] == pytest.approx(expected)
    assert main.main([*words, "--format", "md"]) == 0
    page = capsys.readouterr().out
    assert "n = 600 rows of 200 entities" in page
    assert "Rows count by their weight" in page


@pytest.mark.parametrize(
    ("kind", "more", "told"),
    [
        (["--regression"], ["--search", "2", "--score", "p"], "--regression must stand without "
         "options of decisions, got --score, --search"),
        (["--nll", "nll"], ["--weight", "w"], "--nll must stand without options of decisions, got "
         "--weight"),
    ],
)  # fmt: skip
def test_an_option_that_would_do_nothing_is_refused(tmp_path, caplog, kind, more, told):
    path = written(tmp_path, people(50))
    assert main.main(["audit", str(path), "--attributes", "sex", *kind, *more]) == 3
    assert caplog.records[-1].getMessage() == f"audit: {told}; leave them out"


def test_entities_that_stand_in_several_groups_are_told(tmp_path, capsys):
    table = people(600)
    table["sex"] = np.where(table["who"] % 2 == 0, "Male", "Female")
    found = json.loads(audit(written(tmp_path, table), capsys, "--entity", "who"))
    assert any("several groups of race." in note for note in found["notes"])
    table["race"] = "A"
    found = json.loads(audit(written(tmp_path, table), capsys, "--entity", "who"))
    assert not any("several groups" in note for note in found["notes"])
