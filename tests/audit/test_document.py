"""The page of an audit: readable, and unharmed by what groups are called."""

import json
import re

import pytest

from plumbline import names
from plumbline.artifacts import dump_json
from plumbline.audit import document
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.options import AuditOptions
from tests.audit import tables


def page(predictions, **options):
    audit = predictions_to_audit(predictions, AuditOptions(**tables.OPTIONS | options))
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
    ends = (
        r"by sex: female \(lowest\) and male \(highest\) differ by \*\*0\.3\d*\*\* \[[^]]+\], "
        r"n = [\d\u202f]+: \*\*difference\*\*\."
    )
    assert re.search(ends, text)
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


def test_the_page_explains_the_four_verdicts_and_the_margins_with_their_source():
    audit = predictions_to_audit(tables.people(n=150), AuditOptions(**tables.OPTIONS))
    audit["margins"][0] |= {"source": "engineering", "rationale": "ten cases in a hundred"}
    text = document.audit_to_markdown(json.loads(dump_json(audit)))
    for verdict in names.VERDICTS:
        assert f"- **{verdict}**: " in text
    assert (
        "- difference in selection rate, true positive rate, false positive rate, true negative "
        "rate, false negative rate, positive predictive value, negative predictive value, "
        "accuracy, AUROC: at most 0.1 (engineering: ten cases in a hundred)\n"
    ) in text
    assert ", accuracy, AUROC: from 0.8 to 1.250 (default)\n" in text
    without = page(tables.people(n=150), margins=())
    assert "No margin is declared for these metrics, so that no gap can be equivalent." in without


def test_the_summary_counts_every_verdict_and_what_no_comparison_holds():
    predictions = tables.people(n=600)
    sex = predictions.table["sex"].to_numpy(dtype=object)
    sex[:7], sex[7:10] = "other", names.UNKNOWN
    predictions.table["sex"] = sex
    text = page(predictions, max_order=1)
    summary = text.split("## Summary")[1].split("## Gaps")[0]
    assert re.search(
        r"Gaps between groups: 20 as highest − lowest: \d+ difference, \d+ equivalent, "
        r"\d+ inconclusive, \d+ insufficient; 18 as lowest / highest: ", summary
    )  # fmt: skip
    assert (
        "- by sex: 1 of 3 groups, 7 rows, in every metric; 3 rows without a value of the attribute"
    ) in summary
    assert "No group is excluded from the comparisons." in page(tables.people(n=600), max_order=1)


def test_a_gap_in_representation_is_told_of_one_group_and_the_real_images():
    text = page(tables.images(n=900, real=400, thin=(0.2, 0.5)))
    assert "n = 900 generated images, compared with 400 test images. Groups by" in text
    assert re.search(
        r"the share of (thin|thick) among the samples minus that among the real images is \*\*",
        text,
    )
    assert "A representation gap is one group's share of the samples minus its share" in text
    assert re.search(r"\| representation gap \| difference \| [^\n]* real images \| ", text)


def test_a_text_is_measured_by_blocks_of_documents():
    text = page(tables.documents({"a": [1.0] * 12, "b": [2.0] * 12}))
    assert "n = 96 blocks of 24 documents. Groups by" in text
