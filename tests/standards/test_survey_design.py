"""Weights and entities in worksheets: persons are counted without weights."""

import numpy as np
import pandas as pd
import pytest

from plumbline import artifacts, names
from plumbline.artifacts import Predictions
from plumbline.cli import main
from plumbline.metrics.intervals import shares
from plumbline.metrics.intervals.shares import share_interval
from plumbline.metrics.intervals.survey_design import Design
from plumbline.standards.document import worksheets_to_markdown
from plumbline.standards.worksheets import Categories, predictions_worksheets

CATEGORIES = Categories("sex", "race", ("unknown",))


def people(n=240, *, classes=("no", "yes"), seed=0):
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    truth = rng.integers(0, len(classes), n)
    decided = np.where(rng.random(n) < 0.6, truth, rng.integers(0, len(classes), n))
    others = {f"score_{name}": (1 - score) / (len(classes) - 1) for name in classes[:-1]}
    return pd.DataFrame(
        {
            "sample_id": [f"r{i}" for i in range(n)], "split": names.TEST, "y_true": truth,
            "y_pred": decided, **others, f"score_{classes[-1]}": score,
            "sex": rng.choice(["F", "M"], n), "race": rng.choice(["A", "B"], n),
        }
    )  # fmt: skip


def sheets(table, classes=("no", "yes")):
    predictions = Predictions(
        table=table, model="m", kind=names.CLASSIFICATION, dataset="tabular", source="made",
        classes=classes, positive=classes[1] if len(classes) == 2 else None,
        attributes=("sex", "race"),
    )  # fmt: skip
    found = predictions_worksheets(predictions, categories=CATEGORIES, confidence=0.95)
    return artifacts.plain(found)


def repeated(table, times):
    order = np.repeat(np.arange(len(table)), times)
    again = table.iloc[order].reset_index(drop=True)
    return again.assign(entity=again["sample_id"], sample_id=[f"x{i}" for i in range(len(again))])


def test_sheets_of_selection_count_heads_whatever_the_weights_and_say_so():
    table = people()
    weight = np.random.default_rng(1).gamma(2, size=len(table))
    plain, weighted = sheets(table), sheets(table.assign(sample_weight=weight))
    assert weighted["selection"].pop("weighted") is True
    assert weighted["selection"] == plain["selection"]
    text = worksheets_to_markdown(sheets(table.assign(sample_weight=weight)), title="x")
    assert text.count("**Unweighted**: the law counts persons") == 2
    assert "Rows are weighted; numbers count rows." in text
    assert "nweighted" not in worksheets_to_markdown(plain, title="x")


@pytest.mark.parametrize("classes", [("no", "yes"), ("a", "b", "c")])
def test_errors_by_whole_weights_are_about_those_of_repeated_rows(classes):
    """That repeated rows must be alike is not known: independent ones would be worth more."""
    table = people(classes=classes)
    times = np.random.default_rng(2).integers(1, 4, len(table))
    weighted = sheets(table.assign(sample_weight=times.astype(float)), classes)["errors"]
    again = sheets(repeated(table, times), classes)["errors"]
    assert (weighted.pop("weighted"), again.pop("entities")) == (True, len(table))
    for one, other in zip(weighted["rows"], again["rows"], strict=True):
        assert one["group"] == other["group"]
        for metric in set(one) - {"attribute", "group", "n"}:
            ends = ("value", "low", "high")
            assert one[metric]["value"] == pytest.approx(other[metric]["value"])
            assert [one[metric][k] for k in ends] == pytest.approx(
                [other[metric][k] for k in ends], rel=0.05
            )
    assert weighted["widest"]["value"] == pytest.approx(again["widest"]["value"])


def test_a_weighted_error_is_the_sum_of_weights_with_the_interval_of_its_effective_size():
    table = people()
    weight = np.random.default_rng(3).gamma(2, size=len(table))
    rows = {
        row["group"]: row for row in sheets(table.assign(sample_weight=weight))["errors"]["rows"]
    }
    own = ((table["sex"] == "F") & (table["y_pred"] == 1)).to_numpy()
    wrong = (table["y_true"] == 0).to_numpy()
    cell = rows["F"]["error"]
    assert cell["value"] == pytest.approx(weight[own & wrong].sum() / weight[own].sum())
    assert cell["n"] == own.sum()
    counted = Design.of(weight[own]).rates(wrong[own], np.zeros(own.sum(), dtype=int), 1)
    # Units of the group are all of its rows, also those that do not count.
    ends = share_interval(counted.successes, counted.trials, confidence=0.95)
    assert [cell["low"], cell["high"]] == pytest.approx([float(e[0]) for e in ends], abs=0.002)


def test_weights_of_one_and_entities_of_one_row_change_no_number():
    table = people()
    ones = table.assign(sample_weight=1.0, entity=table["sample_id"])
    plain, own = sheets(table), sheets(ones)
    for part in ("selection", "errors"):
        assert own[part].pop("weighted") is True
    assert own["selection"] == plain["selection"]
    for one, other in zip(own["errors"]["rows"], plain["errors"]["rows"], strict=True):
        for metric in ("error", names.PPV, names.TPR, names.FPR):
            assert one[metric]["value"] == pytest.approx(other[metric]["value"], abs=1e-15)


def test_rows_of_entities_are_counted_and_p_takes_them_together():
    """Every row four times: rates and ratios stay, p is about that of each row once."""
    table = people(200, seed=4)
    table["y_pred"] = np.where(table["sex"] == "M", np.arange(200) % 2, np.arange(200) % 4 == 0)
    four = sheets(repeated(table, np.full(200, 4)))["selection"]
    once, again = (found["four_fifths"][0] for found in (sheets(table)["selection"], four))
    low, other = (next(r for r in t["rows"] if r["group"] == "F") for t in (once, again))
    assert other["n"] == 4 * low["n"]
    assert (other["rate"], other["ratio"]) == (low["rate"], low["ratio"])
    assert other["p_value"] == pytest.approx(low["p_value"], rel=0.5)
    (k1, n1), (k2, n2) = ((r["selected"], r["n"]) for r in again["rows"])
    assert shares.fisher_exact((k1, n1), (k2, n2)) < other["p_value"] / 100
    assert four["entities"] == 200
    text = worksheets_to_markdown({"selection": four, "errors": None}, title="x")
    assert "Rows are counted; they belong to 200 entities" in text
    assert "p is that of the difference of the two rates, clustered by entity" in text
    assert "Fisher" not in text


def test_one_entity_alone_has_no_p():
    table = people(40).assign(entity=lambda t: np.where(t["sex"] == "F", "one", t["sample_id"]))
    found = sheets(table)["selection"]["four_fifths"][0]
    assert {row["p_value"] for row in found["rows"]} == {None}


def test_the_command_takes_weights_and_entities(tmp_path, capsys):
    path = tmp_path / "own.csv"
    people(60).assign(who=np.arange(60) // 3, often=2.0).to_csv(path, index=False)
    asked = ["--decision", "y_pred", "--label", "y_true", "--attributes", "sex,race"]
    assert main.main(["standards", str(path), *asked, "--weight", "often", "--entity", "who"]) == 0
    shown = capsys.readouterr().out
    assert "belong to 20 entities" in shown
    assert "**Unweighted**" in shown
