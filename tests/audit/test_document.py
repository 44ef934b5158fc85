"""The page of an audit: readable, and unharmed by what groups are called."""

import json

import pytest

from plumbline.artifacts import dump_json
from plumbline.audit import document
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.options import AuditOptions
from tests.audit import tables


def page(predictions):
    audit = predictions_to_audit(predictions, AuditOptions(**tables.OPTIONS))
    return document.audit_to_markdown(json.loads(dump_json(audit)))


@pytest.mark.parametrize(
    "predictions",
    [
        tables.people(n=150),
        tables.people(n=150, classes=("a", "b", "c"), positive=None),
        tables.numbers(n=60),
        tables.documents({"a": [1.0] * 12, "b": [2.0] * 12}),
        tables.images(n=80, real=80),
    ],
    ids=["binary", "many classes", "regression", "language", "generator"],
)
def test_every_table_has_as_many_cells_in_every_row(predictions):
    text = page(predictions)
    width = 0
    for line in text.splitlines():
        cells = line.replace("\\|", "").count("|")
        if line.startswith("|"):
            assert width in (0, cells), line
            width = cells
        else:
            width = 0
    assert "nan" not in text.lower().replace("finance", "")
    assert "None" not in text


def test_the_page_says_what_was_compared_and_found():
    text = page(tables.people(n=2000, selection=(0.3, 0.6)))
    assert text.startswith("# Audit of fnn\n\nData: tabular (people), split test, n = 2\u202f000.")
    assert "Groups by: sex, age. Intervals have 95 % confidence." in text
    assert "by sex differs by **0.3" in text
    assert "between female (lowest) and male (highest): **difference**." in text
    assert "- selection rate: share of the group that gets the positive prediction." in text
    assert "| female | selection rate |" in text
    assert "### All rows" in text


def test_a_group_called_like_markup_stays_text():
    predictions = tables.people(n=200)
    predictions.table["sex"] = predictions.table["sex"].replace(
        {"male": "<script>alert(1)</script>|x", "female": "[a](http://b)\n# c `d`"}
    )
    text = page(predictions)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\|x" in text
    assert "\\[a\\](http:&#47;&#47;b) \\# c \\`d\\`" in text
    assert "\n# c" not in text


def test_nothing_to_compare_is_said():
    text = page(tables.people(n=8))
    assert "No gap of a main metric could be estimated." in text
    assert "0 difference, 0 equivalent, 0 inconclusive," in text
