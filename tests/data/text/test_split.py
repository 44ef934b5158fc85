"""Splits of documents that keep shared text together."""

import numpy as np
import pytest

from plumbline.data.base.splits import assign_splits
from plumbline.data.text.split import SharedText, split_documents
from plumbline.data.text.word_runs import containment

FRACTIONS = {"val_fraction": 0.1, "test_fraction": 0.2}


def shared_text(groups, held_out=None):
    free = np.ones(len(groups), dtype=bool) if held_out is None else held_out
    return SharedText(None, np.asarray(groups), np.asarray(free))


def split(ids, shared, strata=None):
    kinds = strata or ["s"] * len(ids)
    return split_documents(ids, shared=shared, strata=kinds, salt="here", **FRACTIONS)


@pytest.fixture
def ids():
    return [f"document-{k:03d}" for k in range(100)]


def test_without_shared_text_it_is_the_split_of_every_other_data_set(ids):
    strata = ["ab"[k % 2] for k in range(100)]
    found = split(ids, shared_text(range(100)), strata)
    wanted = assign_splits(ids, strata=strata, salt="here", **FRACTIONS)
    assert found.tolist() == wanted.tolist()


def test_groups_stay_together_and_fractions_hold(ids):
    groups = np.array([k // 3 for k in range(60)] + list(range(60, 100)))
    found = split(ids, shared_text(groups))
    for group in set(groups):
        assert len(set(found[groups == group])) == 1
    assert {s: (found == s).sum() for s in ("test", "val")} == {"test": 20, "val": 10}


def test_the_order_of_the_documents_does_not_matter(ids):
    groups = np.arange(100) // 2
    mixed = np.random.default_rng(0).permutation(100)
    found = split(ids, shared_text(groups))
    again = split([ids[i] for i in mixed], shared_text(groups[mixed]))
    assert again.tolist() == found[mixed].tolist()


def test_a_giant_group_is_in_the_training_split(ids):
    groups = np.array([0] * 60 + list(range(1, 41)))
    found = split(ids, shared_text(groups))
    assert set(found[:60]) == {"train"}
    assert (found == "test").sum() == 20


def test_groups_that_repeat_others_are_in_the_training_split(ids):
    found = split(ids, shared_text(range(100), np.arange(100) >= 90))
    assert set(found[:90]) == {"train"}
    assert (found[90:] == "test").sum() == 10  # fewer than the 20 asked for


def test_a_group_belongs_to_the_stratum_of_most_of_its_documents():
    ids = [f"d{k}" for k in range(20)]
    groups = np.array([0, 0, 0, *range(1, 18)])
    strata = ["b", "b", "a"] + ["a"] * 8 + ["b"] * 9
    found = split(ids, shared_text(groups), strata)
    # a: 8 documents, b: 12 with the three of the group.
    assert (found[3:11] == "test").sum() == 2
    assert (np.r_[found[:3], found[11:]] == "test").sum() == 2


def test_documents_of_scikit_learn_are_held_out_without_being_contained(sklearn_documents):
    from tests.data.text.test_prepare import PARAMETERS

    documents = [d for d in sklearn_documents[0] if len(d.text) >= 200]
    texts = [d.text for d in documents]
    shared = SharedText.of(texts, PARAMETERS)
    found = split([d.name for d in documents], shared=shared)
    plain = assign_splits([d.name for d in documents], salt="here", **FRACTIONS)
    before, after = (containment(shared.runs, splits == "train") for splits in (plain, found))
    assert (before[plain == "test"] > 0.5).mean() > 0.2
    assert (after[found != "train"] > 0.5).sum() == 0
    assert after[found == "test"].mean() < 0.5 * before[plain == "test"].mean()
    assert (found == "test").mean() == pytest.approx(0.2, abs=0.01)
