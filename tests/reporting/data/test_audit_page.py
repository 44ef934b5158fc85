import re

import pytest

from plumbline.artifacts import plain
from plumbline.data_audit.build import audit_dataset
from plumbline.reporting.data.audit_page import (
    data_audit_figure,
    data_audit_metrics,
    data_audit_to_markdown,
    tally,
)
from tests.data_audit.made_datasets import OPTIONS, audit_of, table


def audit(subject, **reference):
    return plain(audit_dataset(subject, options=OPTIONS, reference=reference))


@pytest.fixture(scope="module")
def audited():
    return audit(table(), sex={"female": 0.7, "male": 0.3})


def test_the_page_says_every_section(audited):
    page = data_audit_to_markdown(audited)
    heads = re.findall(r"^##+ (.*)$", page, flags=re.MULTILINE)
    assert heads == [
        "Representation",
        "Compared with the declared population",
        "Training and held-out rows",
        "Labels by group",
        "Labels that differ from their neighbours'",
        "Leakage between splits",
        "Proxy features for protected attributes",
        "Disputed labels",
        "Notes",
    ]
    assert "| sex | female | 0.700 | -0.200 |" in page
    assert "| attribute | balanced accuracy | 95 % of permutations are below |" in page
    leaked = "exact: 0 of 160 held-out rows (0 %) have a duplicate in the training split: "
    assert f"{leaked}**none found**, no duplicate among the rows that were compared." in page


def test_verdicts_are_counted_with_those_of_the_population_and_the_proxies(audited):
    found = tally(audited)
    assert found["difference"] == 3  # two groups against the population, one proxy
    assert sum(found.values()) == len(audited["gaps"]) + 2 + 2  # not the search for duplicates


def test_names_from_data_cannot_become_markup():
    subject = table()
    subject.table["sex"] = subject.table["sex"].replace("female", "<b>|x|</b>")
    page = data_audit_to_markdown(audit(subject))
    assert "<b>" not in page
    assert "&lt;b&gt;\\|x\\|&lt;/b&gt;" in page


def test_injected_bias_is_listed_first():
    page = data_audit_to_markdown(
        {**plain(audit_of("table")), "injected_bias": ["slant left kept at 0.1"]}
    )
    assert page.index("slant left kept at 0.1") < page.index("## Representation")


@pytest.mark.parametrize(
    ("kind", "metrics"),
    [
        ("table", ["share", "label_rate/yes", "label_disagreement"]),
        ("images", ["share", "label_rate/light", "label_disagreement"]),
        ("texts", ["share"]),
    ],
)
def test_figures_are_drawn_and_equal_each_time(tmp_path, kind, metrics):
    found = plain(audit_of(kind))
    assert data_audit_metrics(found) == metrics
    for name in ("one.svg", "two.svg"):
        data_audit_figure(found, tmp_path / name)
    drawn = (tmp_path / "one.svg").read_bytes()
    assert drawn == (tmp_path / "two.svg").read_bytes()
    assert b"share" in drawn


def test_the_page_says_why_no_gap_is_equivalent_and_what_permutations_show(audited):
    page = data_audit_to_markdown(audited)
    assert "so no gap can be equivalent. Proxy features count as comparisons." in page
    assert "| balanced accuracy | 95 % of permutations are below |" in page


def test_only_data_with_labels_have_a_note_on_disputed_ones(audited):
    assert any(note.startswith("A disputed label") for note in audited["notes"])
    text = plain(audit_of("texts"))["notes"]
    assert any(note.startswith("Text has no labels") for note in text)
    assert not any(note.startswith("A disputed label") for note in text)
