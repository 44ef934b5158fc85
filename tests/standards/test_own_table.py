"""Decisions made elsewhere: the same sheets, missing values as unknown, clear refusals."""

import numpy as np
import pandas as pd
import pytest

from plumbline import artifacts
from plumbline.cli import main
from plumbline.errors import DataError
from plumbline.metrics.groups.contingency import table_to_contingency
from plumbline.standards.document import worksheets_to_markdown
from plumbline.standards.own_table import file_worksheets
from plumbline.standards.worksheets import Categories, above_median

TABLE = pd.DataFrame(
    {
        "sex": ["F"] * 5 + ["M"] * 4 + [None],
        "race": ["A", "B"] * 5,
        "hired": [1, 0, 0, 0, 0, 1, 1, 0, 0, 1],
        "fit": [1, 1, 0, 0, 0, 1, 0, 0, 1, 1],
        "score": [0.9, 0.4, 0.1, 0.2, 0.3, 0.8, 0.7, 0.6, 0.5, 1.0],
    }
)


@pytest.fixture
def sheets(tmp_path):
    def made(table=TABLE, suffix="csv", **changed):
        path = tmp_path / f"hired.{suffix}"
        getattr(table, f"to_{suffix}")(path, index=False)
        options = {
            "decision": "hired", "label": "fit", "score": "score", "attributes": ["sex", "race"],
            "positive": None, "categories": Categories("sex", "race", ()), "confidence": 0.95,
        }  # fmt: skip
        return artifacts.plain(file_worksheets(path, **{**options, **changed}))

    return made


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_decisions_and_scores_give_the_tables_of_the_law(sheets, suffix):
    law = sheets(suffix=suffix)["selection"]["local_law_144"]
    sex, race, crossed = law["selected"]
    assert [(r["group"], r["rate"], r["impact_ratio"]) for r in sex["rows"]] == [
        ("F", 0.2, 0.4),
        ("M", 0.5, 1.0),
    ]
    assert [table["unknown"] for table in (sex, race, crossed)] == [1, 0, 1]
    # The median of ten scores is 0.55: 0.9 is above it among women, 0.8, 0.7 and 0.6 among men.
    assert [r["selected"] for r in law["scored"][0]["rows"]] == [1, 3]


def test_any_score_has_the_scoring_rates_of_its_order(sheets):
    first = sheets()["selection"]["local_law_144"]["scored"]
    for scale in (300, -300):
        moved = TABLE.assign(score=scale + 550 * TABLE["score"])
        assert sheets(table=moved)["selection"]["local_law_144"]["scored"] == first


def test_above_the_median_is_what_numpy_says_for_odd_and_even_numbers_and_ties():
    rng = np.random.default_rng(2)
    for n in (1, 2, 5, 8, 101, 400):
        score = rng.integers(0, 7, n) / 7
        table = pd.DataFrame({"y_true": 0, "y_pred": 0, "a": "x", "score": score})
        contingency = table_to_contingency(
            table, attributes=["a"], classes=["0", "1"], positive="1", score=score
        )
        found = above_median(contingency)
        assert int(found.n[found.decided == 1].sum()) == (score > np.median(score)).sum()


def test_without_a_label_there_is_no_sheet_of_errors_and_without_a_score_no_scoring_rate(sheets):
    whole, bare = sheets(), sheets(label=None, score=None)
    assert bare["errors"] is None
    assert bare["selection"]["local_law_144"]["scored"] is None
    law = whole["selection"]["local_law_144"]["selected"]
    assert bare["selection"]["local_law_144"]["selected"] == law
    assert bare["selection"]["four_fifths"] == whole["selection"]["four_fifths"]


def test_another_word_can_be_the_selection(sheets):
    words = TABLE.assign(hired=TABLE["hired"].map({1: "yes", 0: "no"}))
    found = sheets(words, label=None, score=None, positive="yes")["selection"]
    assert found["selection"] == "hired = yes"
    assert [row["selected"] for row in found["four_fifths"][0]["rows"]] == [1, 2]


def test_the_page_never_claims_a_pass_mark_and_escapes_what_people_typed(sheets):
    found = sheets(TABLE.replace({"F": "<script>|"}))
    text = worksheets_to_markdown(found, title="[x](javascript:alert(1))")
    assert "It sets no minimum ratio" in text
    assert "<script>" not in text
    assert text.startswith("# \\[x\\](javascript")


def test_the_command_prints_the_sheets_of_a_file(tmp_path, capsys):
    path = tmp_path / "hired.csv"
    TABLE.to_csv(path, index=False)
    asked = ["--decision", "hired", "--label", "fit", "--attributes", "sex,race"]
    assert main.main(["standards", str(path), *asked]) == 0
    shown = capsys.readouterr().out
    assert "| F | 5 | 1 | 0.200 | 0.400 |" in shown
    assert "Excluded because a category is unknown: 1." in shown


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"decision": "yes"}, "decision must be a column of hired.csv, got 'yes'"),
        ({"label": "score"}, "label must have two values, got 10"),
        ({"table": TABLE.assign(score=np.inf)}, "score 'score' must be finite in every row"),
        ({"table": TABLE.head(0)}, "hired.csv must have rows, got a header only"),
    ],
)
def test_an_unfit_file_is_refused(sheets, changed, message):
    with pytest.raises(DataError, match=message):
        sheets(**changed)
