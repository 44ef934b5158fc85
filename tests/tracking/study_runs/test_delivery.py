"""A study has one MLflow run: rows as a table, claims as metrics and tags when they are judged."""

import json

import pandas as pd
import pytest

from plumbline import artifacts
from plumbline.runs import records
from plumbline.tracking import sync

ROWS = "reports/studies/toy/widths/rows.parquet"
CLAIMS = "reports/studies/toy/widths/claims.json"
CLAIM = {"id": "wider", "verdict": "supported", "statement": "Wider is better.",
         "effect": "loss: wide minus narrow",
         "estimate": 0.25, "low": 0.125, "high": None}  # fmt: skip


@pytest.fixture
def study(record):
    """The record of a study with two rows."""
    book = record("widths", lab="toy")
    table = pd.DataFrame({"width": [1, 2], "seed": [0, 0], "loss": [0.5, 0.25]})
    artifacts.write_table(book.folder / "files" / ROWS, table)
    book.update(artifacts=[ROWS], outs={ROWS: "a" * 32})
    book.close(records.FINISHED)
    return book


def judge(record, *, rows="a" * 32, **changes):
    book = record("toy_claims", lab="toy", deps={ROWS: rows})
    document = {"claims": [{**CLAIM, **changes}]}
    artifacts.write_json(book.folder / "files" / CLAIMS, document)
    book.update(artifacts=[CLAIMS], outs={CLAIMS: "b" * 32})
    book.close(records.FINISHED)


def test_rows_are_a_table_that_a_second_delivery_does_not_lengthen(home, study, view, tmp_path):
    for rebuild in (False, True):
        assert sync.sync(home, rebuild=rebuild).refused == 0
    run = view().one("toy/widths")
    tables = json.loads(run.data.tags["mlflow.loggedArtifacts"])
    assert tables == [{"path": "rows.json", "type": "table"}]
    path = view().client.download_artifacts(run.info.run_id, "rows.json", str(tmp_path))
    with open(path, encoding="utf-8") as stream:
        table = json.load(stream)
    assert table == {"columns": ["width", "seed", "loss"], "data": [[1, 0, 0.5], [2, 0, 0.25]]}


def test_claims_go_to_the_run_of_the_study_and_are_replaced_when_judged_again(
    home, study, record, view
):
    judge(record)
    assert sync.sync(home).refused == 0
    run = view().one("toy/widths")
    values = {k: v for k, v in run.data.metrics.items() if k.startswith("claim")}
    assert values == {"claim/wider": 0.25, "claim/wider/low": 0.125}
    assert run.data.tags["claim.wider"] == "supported: Wider is better. (loss: wide minus narrow)"
    judge(record, verdict="undecided", estimate=0.5)
    assert sync.sync(home).refused == 0
    again = view().one("toy/widths")
    assert again.info.run_id == run.info.run_id
    assert again.data.tags["claim.wider"] == "undecided: Wider is better. (loss: wide minus narrow)"
    assert again.data.metrics["claim/wider"] == 0.5


def test_claims_on_rows_of_no_run_are_left_out(home, study, record, view):
    judge(record, rows="c" * 32)
    assert sync.sync(home).refused == 0
    assert "claim.wider" not in view().one("toy/widths").data.tags
