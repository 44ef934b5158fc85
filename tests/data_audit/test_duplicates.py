from dataclasses import replace

import numpy as np
import pytest

from plumbline.data_audit.duplicates import (
    find_duplicates,
    nearest_rows,
    rows_within,
)
from tests.data_audit.made_datasets import THRESHOLDS, images, table, texts

KINDS = {"tabular": table, "images": images, "text": texts}


def find(dataset):
    return find_duplicates(dataset, np.arange(len(dataset.table)), thresholds=THRESHOLDS)


@pytest.mark.parametrize("kind", KINDS)
def test_different_samples_have_no_duplicates(kind):
    found = find(KINDS[kind]())
    assert (found["exact"]["count"], found["near"]["count"], found["within_train"]) == (0, 0, 0)


def copied(dataset, source, target, *, change=0):
    """Give row ``target`` the content of row ``source``, slightly changed if asked."""
    frame = dataset.table.copy()
    if dataset.images is not None:
        pixels = dataset.images.copy()
        pixels[target] = pixels[source] + change
        return replace(dataset, images=pixels)
    if "text" in frame:
        words = frame.at[source, "text"].split()
        frame.at[target, "text"] = "  ".join(["other"] * change + words[change:])
    else:
        for feature in dataset.schema.features:
            frame.at[target, feature] = frame.at[source, feature] + 0.001 * change
    return replace(dataset, table=frame)


@pytest.mark.parametrize("kind", KINDS)
def test_an_exact_copy_in_the_test_split_is_a_leak(kind):
    found = find(copied(KINDS[kind](), 0, 4))
    (pair,) = found["exact"]["pairs"]
    assert (found["exact"]["count"], found["near"]["count"]) == (1, 0)
    assert pair["held_out"].endswith("4")
    assert pair["train"].endswith("0")
    assert pair["split"] == "test"
    assert found["exact"]["verdict"] == "leakage"


@pytest.mark.parametrize("kind", KINDS)
def test_a_slightly_changed_copy_is_a_near_duplicate(kind):
    found = find(copied(KINDS[kind](), 1, 3, change=2))
    assert (found["exact"]["count"], found["near"]["count"]) == (0, 1)
    (pair,) = found["near"]["pairs"]
    assert pair["split"] == "val"
    assert found["near"]["verdict"] == "leakage"


@pytest.mark.parametrize("kind", KINDS)
def test_copies_inside_the_training_split_are_no_leak(kind):
    found = find(copied(KINDS[kind](), 0, 1))
    assert (found["exact"]["count"], found["within_train"]) == (0, 1)


def test_equal_samples_with_different_labels_are_counted():
    dataset = copied(table(), 0, 1)
    dataset.table.loc[[0, 1], "y"] = [0, 1]
    assert find(dataset)["conflicting_labels"] == 1


def test_the_nearest_row_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 4)), rng.normal(size=(50, 4))
    nearest, distance = nearest_rows(a, b)
    for i, row in enumerate(a):
        by_hand = np.sqrt(((row - b) ** 2).mean(axis=1))
        assert nearest[i] == by_hand.argmin()
        assert distance[i] == pytest.approx(by_hand.min())


def test_rows_within_a_bound_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 2)), rng.normal(size=(60, 2))
    nearest, difference = rows_within(a, b, 0.1)
    for i, row in enumerate(a):
        by_hand = np.abs(row - b).max(axis=1)
        if by_hand.min() <= 0.1:
            assert nearest[i] == by_hand.argmin()
            assert difference[i] == pytest.approx(by_hand.min())
        else:
            assert np.isinf(difference[i])
    assert rows_within(a, a, 0.0)[1].max() == 0


def test_rows_of_few_features_are_not_compared_by_chance():
    dataset = table()
    few = replace(dataset, schema=replace(dataset.schema, features=("signal", "hint")))
    assert find(few)["near"]["n"] == 0


def test_coarse_rows_that_meet_by_chance_are_no_leak():
    dataset = table()
    coarse = {name: np.sign(dataset.table[name]) for name in dataset.schema.features}
    found = find(replace(dataset, table=dataset.table.assign(**coarse)))
    assert found["exact"]["count"] > 100
    assert found["chance_share"] > 0.9
    assert found["exact"]["verdict"] == found["near"]["verdict"] == "insufficient"


def test_the_columns_of_one_category_are_shuffled_together():
    """Three colours as 0/1 columns: shuffled one by one, most rows would have two or none."""
    dataset = table(900)
    colour = np.resize([0, 1, 2], 900)
    flags = {f"colour={c}": (colour == c).astype(float) for c in range(3)}
    schema = replace(dataset.schema, features=tuple(flags))
    found = find(replace(dataset, schema=schema, table=dataset.table.assign(**flags)))
    assert found["chance_share"] == 1.0


def with_texts(*texts, split):
    dataset = KINDS["text"](len(texts))
    return replace(dataset, table=dataset.table.assign(text=list(texts), split=split))


def test_a_document_that_several_training_documents_contain_together_is_a_leak():
    """Its Jaccard index with either half is below .08; only together they hold nearly all of it."""
    words = [f"word{k}" for k in range(60)]
    others = [f"other{k}" for k in range(400)]
    halves = words[:30] + others[:200], words[30:] + others[200:]
    copied_text = with_texts(*map(" ".join, (*halves, words)), split=["train", "train", "test"])
    found = find(copied_text)
    (pair,) = found["near"]["pairs"]
    assert (pair["held_out"], pair["train"]) == ("document-02", "document-00")
    assert pair["value"] == pytest.approx(52 / 56)  # 4 runs of 56 cross the middle
    assert (found["measure"], found["shared_runs"]) == ("containment", {"test": pair["value"]})
    assert found["near"]["verdict"] == "leakage"


def test_half_a_document_is_no_leak_and_more_is():
    training = "aa bb cc dd ee ff gg"  # 3 runs
    for held_out, leaks in (("aa bb cc dd ee xx", 0), ("aa bb cc dd ee ff yy", 1)):
        found = find(with_texts(training, held_out, split=["train", "test"]))
        assert found["near"]["count"] == leaks
