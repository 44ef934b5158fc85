"""Somebody's own table: the same sheets, missing values as unknown, clear refusals."""

import pandas as pd
import pytest

from plumbline import cli
from plumbline.errors import ArtifactError, MetricError
from plumbline.standards.document import sheets_to_markdown
from plumbline.standards.own_table import own_sheets, read_own_table
from plumbline.standards.sheets import Categories

TABLE = pd.DataFrame(
    {
        "sex": ["F"] * 5 + ["M"] * 4 + [None],
        "race": ["A", "B"] * 5,
        "hired": [1, 0, 0, 0, 0, 1, 1, 0, 0, 1],
        "fit": [1, 1, 0, 0, 0, 1, 0, 0, 1, 1],
        "score": [9, 4, 1, 2, 3, 8, 7, 6, 5, 10],
    }
)


def sheets(table=TABLE, **changed):
    options = {
        "decision": "hired", "label": "fit", "score": "score", "attributes": ["sex", "race"],
        "categories": Categories("sex", "race", ()), "confidence": 0.95,
    }  # fmt: skip
    return own_sheets(table, **{**options, **changed})


def test_decisions_and_scores_give_the_tables_of_the_law():
    law = sheets()["selection"]["local_law_144"]
    sex, race, crossed = law["selected"]
    assert [(r["group"], r["rate"], r["impact_ratio"]) for r in sex["rows"]] == [
        ("F", 0.2, 0.4),
        ("M", 0.5, 1.0),
    ]
    assert sex["unknown"] == 1
    assert race["unknown"] == 0
    assert crossed["unknown"] == 1
    # The median of ten scores is 5.5: 9 is above it among women, 8, 7 and 6 among men.
    assert [r["selected"] for r in law["scored"][0]["rows"]] == [1, 3]


def test_without_a_label_there_is_no_sheet_of_errors_and_without_a_score_no_scoring_rate():
    found = sheets(label=None, score=None)
    assert found["errors"] is None
    assert found["selection"]["local_law_144"]["scored"] is None
    assert found["selection"] == {**sheets()["selection"], "local_law_144": {
        **sheets()["selection"]["local_law_144"], "scored": None,
    }}  # fmt: skip


def test_the_page_never_claims_a_pass_mark_and_escapes_what_people_typed():
    text = sheets_to_markdown(
        sheets(TABLE.replace({"F": "<script>|"})), title="[x](javascript:alert(1))"
    )
    assert "It sets no ratio that has to be reached" in text
    assert "<script>" not in text
    assert text.startswith("# \\[x\\](javascript")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_command_prints_the_sheets_of_a_file(tmp_path, suffix, capsys):
    path = tmp_path / f"hired.{suffix}"
    getattr(TABLE, f"to_{suffix}")(path, index=False)
    code = cli.main(
        [
            "standards",
            str(path),
            "--decision",
            "hired",
            "--label",
            "fit",
            "--attributes",
            "sex,race",
        ]
    )
    assert code == 0
    shown = capsys.readouterr().out
    assert "| F | 5 | 1 | 0.200 | 0.400 |" in shown
    assert "Left out because a category is unknown: 1." in shown


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"decision": "yes"}, "standards: columns must include ['yes'], got "
         "['sex', 'race', 'hired', 'fit', 'score']"),
        ({"label": "score"}, "standards: score must be 0 or 1 in every row, got "
         "['10', '2', '3', '4', '5']"),
        ({"table": TABLE.head(0)}, "standards: table must have a row, got none"),
    ],
)  # fmt: skip
def test_an_unfit_table_is_refused(changed, message):
    with pytest.raises(MetricError) as error:
        sheets(**changed)
    assert str(error.value) == message


def test_a_file_of_another_kind_or_content_is_refused(tmp_path):
    (tmp_path / "a.xlsx").write_text("x")
    with pytest.raises(ArtifactError, match=r"file must end in \.csv or \.parquet, got '\.xlsx'"):
        read_own_table(tmp_path / "a.xlsx")
    (tmp_path / "a.parquet").write_text("x")
    with pytest.raises(ArtifactError, match="content must be parquet, got none"):
        read_own_table(tmp_path / "a.parquet")
