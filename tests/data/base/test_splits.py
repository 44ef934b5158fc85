import hashlib
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.data.base.splits import assign_splits, choose_labelled, hash_order
from plumbline.errors import DataError

SHARES = {"val_fraction": 0.2, "test_fraction": 0.25, "salt": "test"}
ids_ = st.lists(st.text(min_size=1, max_size=6), unique=True, min_size=1, max_size=80)


def split_of(ids, **kwargs):
    return dict(zip(ids, assign_splits(ids, **{**SHARES, **kwargs}), strict=True))


def test_the_order_is_that_of_the_sha256_of_salt_and_id():
    ids = ["b", "a", "c"]
    wanted = sorted(ids, key=lambda name: hashlib.sha256(f"s/{name}".encode()).hexdigest())
    assert hash_order(ids, salt="s") == wanted
    assert hash_order(ids, salt="s") != hash_order(ids, salt="other salt")


@pytest.mark.no_cover
@settings(max_examples=50, deadline=None)
@given(ids_, st.randoms(use_true_random=False))
def test_a_sample_has_its_split_whatever_the_order_of_the_rows(ids, random_order):
    strata = {name: len(name) % 3 for name in ids}
    shuffled = list(ids)
    random_order.shuffle(shuffled)
    before = split_of(ids, strata=[strata[i] for i in ids])
    assert before == split_of(shuffled, strata=[strata[i] for i in shuffled])


@settings(max_examples=50, deadline=None)
@given(ids_)
def test_every_stratum_has_its_shares_to_the_nearest_sample(ids):
    strata = [len(name) % 3 for name in ids]
    splits = assign_splits(ids, strata=strata, **SHARES)
    for stratum, size in Counter(strata).items():
        found = Counter(s for s, k in zip(splits, strata, strict=True) if k == stratum)
        assert abs(found["test"] - 0.25 * size) <= 0.5
        assert abs(found["val"] - 0.2 * size) <= 0.5
        assert found.total() == size


@settings(max_examples=50, deadline=None)
@given(ids_, st.text(min_size=7, max_size=9))
def test_one_more_row_moves_at_most_one_sample_into_and_out_of_each_split(ids, new):
    before, after = split_of(ids), split_of([*ids, new])
    moves = Counter((before[i], after[i]) for i in ids if before[i] != after[i])
    assert all(count == 1 for count in moves.values())
    # The two held-out splits lie at opposite ends of the order: the training split parts them.
    assert not {("test", "val"), ("val", "test")} & set(moves)


def test_a_tenth_more_rows_moves_few_samples():
    ids = [f"sample-{k}" for k in range(1000)]
    before, after = split_of(ids), split_of([*ids, *(f"new-{k}" for k in range(100))])
    moved = sum(before[i] != after[i] for i in ids)
    assert moved <= 30  # two borders, each shifted by some ten places at random


def test_an_entity_is_in_one_split_only():
    entities = [f"patient {k % 37}" for k in range(400)]
    ids = [f"image {k}" for k in range(400)]
    splits = assign_splits(ids, entities=entities, strata=[k % 5 for k in range(400)], **SHARES)
    where = {}
    for entity, split in zip(entities, splits, strict=True):
        assert where.setdefault(entity, split) == split
    assert set(where.values()) == {"train", "val", "test"}


def test_an_entity_belongs_to_the_stratum_of_most_of_its_samples():
    # Eight patients, three images each, two of them of the patient's own kind: with shares of a
    # quarter, each kind of four patients gives one patient to each held-out split.
    entities = [f"p{k}" for k in range(8) for _ in range(3)]
    strata = [kind for k in range(8) for kind in (k % 2, k % 2, 1 - k % 2)]
    ids = [str(k) for k in range(24)]
    splits = assign_splits(
        ids, entities=entities, strata=strata, val_fraction=0.25, test_fraction=0.25, salt="s"
    )
    kind_of = {f"p{k}": k % 2 for k in range(8)}
    pairs = set(zip(entities, splits, strict=True))
    assert Counter((kind_of[p], s) for p, s in pairs) == {
        (kind, split): count
        for kind in (0, 1)
        for split, count in (("train", 2), ("val", 1), ("test", 1))
    }


def test_a_repeated_id_is_refused():
    with pytest.raises(DataError) as error:
        assign_splits(["a", "b", "a"], **SHARES)
    assert str(error.value) == "splits: sample ids must be unique, got 'a' more than once"


def test_labelled_samples_are_training_samples_and_so_many_of_each_class():
    ids = [f"s{k}" for k in range(200)]
    classes = [k % 4 for k in range(200)]
    splits = list(assign_splits(ids, strata=classes, **SHARES))
    labelled = choose_labelled(ids, classes=classes, splits=splits, per_class=7, salt="few")
    chosen = [(c, s) for c, s, on in zip(classes, splits, labelled, strict=True) if on]
    assert Counter(chosen) == {(c, "train"): 7 for c in range(4)}


def test_more_labels_keep_the_labels_that_were_there():
    ids = [f"s{k}" for k in range(200)]
    random.Random(3).shuffle(ids)
    few, more = (
        choose_labelled(ids, classes=["x"] * 200, splits=["train"] * 200, per_class=n, salt="few")
        for n in (5, 12)
    )
    assert few.sum() == 5
    assert more.sum() == 12
    assert not (few & ~more).any()


def test_a_class_with_too_few_training_samples_has_all_of_them_labelled():
    labelled = choose_labelled(
        ["a", "b", "c"],
        classes=["cat", "cat", "dog"],
        splits=["train", "train", "test"],
        per_class=3,
        salt="few",
    )
    assert labelled.tolist() == [True, True, False]
