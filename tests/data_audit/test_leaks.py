"""What a leak between splits leads to: counts, examples, and advice that can be followed."""

from dataclasses import replace

import numpy as np
import pytest

from plumbline import names
from plumbline.data_audit.duplicates import find_duplicates
from plumbline.data_audit.leaks import leaks
from tests.data_audit.made_datasets import MADE, THRESHOLDS, table
from tests.data_audit.test_duplicates import copied


def found_in(dataset):
    return find_duplicates(dataset, np.arange(len(dataset.table)), thresholds=THRESHOLDS)


def message(dataset, max_share=0.0):
    error = leaks(dataset, found_in(dataset), max_share=max_share)
    return None if error is None else str(error)


@pytest.mark.parametrize("kind", MADE)
def test_different_samples_leak_nothing(kind):
    assert message(MADE[kind]()) is None


def with_copies(dataset):
    """Two exact copies of training rows in the test split, and a near one in validation."""
    return copied(copied(copied(dataset, 0, 4), 5, 9), 1, 3, change=2)


HEAD = (
    "made_up: held-out samples must not have duplicates in the training split (at most a share of "
    "0), got 2 exact of 160 and 1 near of 160, e.g. row-0004 (test) and row-0000, row-0009 (test) "
    "and row-0005, row-0003 (val) and row-0001; see reports/data_audits/tabular.md. "
)
ALLOW = ", or allow their share: data_audit.max_leaked_share: 0.0125"


def test_the_message_counts_names_and_says_the_share_that_allows_them():
    dataset = with_copies(table())
    assert message(dataset) == f"{HEAD}Remove the samples{ALLOW}"
    assert 2 / 160 == 0.0125
    assert message(dataset, max_share=0.0125) is None
    assert message(dataset, max_share=0.0124) is not None


@pytest.mark.parametrize(
    ("source", "key"),
    [("csv", "data_tabular.csv.entity"), ("folder", "data_images.folder.columns.entity")],
)
def test_owners_who_declare_no_entity_are_told_where_to(source, key):
    dataset = with_copies(table())
    said = message(replace(dataset, schema=replace(dataset.schema, source=source)))
    advice = f"Name the column of what they belong to as {key}, remove the samples"
    assert said == f"{HEAD.replace('made_up', source)}{advice}{ALLOW}"


def test_owners_who_declare_an_entity_are_not_told_to_declare_one():
    dataset = with_copies(table())
    about = {"entity": "column 'customer', of which the prepared table keeps a pseudonym"}
    dataset = replace(
        dataset,
        schema=replace(dataset.schema, source="csv", about=about),
        table=dataset.table.assign(**{names.ENTITY: dataset.table["sample_id"]}),
    )
    own = HEAD.replace("made_up", "csv")
    assert message(dataset) == (
        f"{own}Their entities (column 'customer') differ: correct those that are one, remove the "
        f"samples{ALLOW}"
    )


def test_of_text_the_parameter_that_keeps_documents_together_is_named():
    assert "Lower data_text.max_containment, so that they stay in training" in message(
        copied(MADE["texts"](), 0, 4)
    )


def test_what_chance_explains_is_said():
    """One row of 160 equals a training row with shuffled columns: below what makes rows coarse."""
    dataset = with_copies(table())
    found = {**found_in(dataset), "chance_share": 0.0005}
    said = str(leaks(dataset, found, max_share=0.0))
    assert " (shuffled training rows equal 0.05 % of them); see reports" in said


def test_coarse_rows_are_no_leak():
    dataset = table(900)
    colour = np.resize([0.0, 1.0, 2.0], 900)
    schema = replace(dataset.schema, features=("colour",))
    coarse = replace(dataset, schema=schema, table=dataset.table.assign(colour=colour))
    assert found_in(coarse)["exact"]["count"] > 100
    assert message(coarse) is None
