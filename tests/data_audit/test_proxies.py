import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from plumbline.data_audit.dataset import vectors
from plumbline.data_audit.proxies import (
    _by_entity,
    balanced_accuracy,
    find_proxy,
    strongest_features,
)
from tests.data_audit.made_datasets import table

SETTINGS = {"folds": 5, "min_group_size": 10, "confidence": 0.95, "seed": 0}


def test_a_feature_that_gives_sex_away_is_found_and_named():
    dataset = table()
    space = vectors(dataset, np.arange(400))
    groups = dataset.table["sex"].to_numpy(dtype=object)
    proxy = find_proxy(space, groups, attribute="sex", **SETTINGS)
    assert proxy["verdict"] == "difference"
    # hint separates two normals 1/0.3 standard deviations apart: at best 0.952 is right.
    assert 0.90 < proxy["value"] < 0.98
    assert proxy["chance_level"] < 0.6
    strongest = strongest_features(space, list(dataset.schema.features), groups, count=1)
    assert strongest[0]["feature"] == "hint"


@pytest.mark.no_cover
def test_an_unrelated_attribute_is_told_apart_in_at_most_one_of_ten_draws():
    told = 0
    for seed in range(10):
        dataset = table(300, seed=seed)
        space = vectors(dataset, np.arange(300))
        groups = dataset.table["region"].to_numpy(dtype=object)
        settings = {**SETTINGS, "seed": seed}
        proxy = find_proxy(space, groups, attribute="region", **settings)
        told += proxy["verdict"] == "difference"
    assert told <= 2


def test_one_group_is_insufficient():
    groups = np.array(["x"] * 50 + ["y"] * 3, dtype=object)
    proxy = find_proxy(np.zeros((53, 2)), groups, attribute="sex", **SETTINGS)
    assert (proxy["verdict"], proxy["value"]) == ("insufficient", None)


def test_rows_of_one_entity_never_stand_in_two_folds():
    """Each entity has its own look and its own group: only other rows of it could tell."""
    rng = np.random.default_rng(0)
    entities = [f"person-{i // 5}" for i in range(300)]
    look = np.repeat(rng.normal(size=(60, 3)), 5, axis=0)
    groups = np.repeat(rng.permutation(np.resize(["a", "b"], 60)), 5).astype(object)
    mixed = find_proxy(look, groups, attribute="g", **SETTINGS)
    apart = find_proxy(look, groups, attribute="g", entities=entities, **SETTINGS)
    assert mixed["value"] > 0.95
    assert apart["value"] < 0.75


def test_balanced_accuracy_is_scikit_learns():
    rng = np.random.default_rng(3)
    truth, predicted = rng.integers(0, 4, size=200), rng.integers(0, 5, size=200)
    with np.errstate(all="ignore"), pytest.warns(UserWarning, match="y_pred contains"):
        theirs = balanced_accuracy_score(truth, predicted)
    assert balanced_accuracy(truth, predicted) == pytest.approx(theirs)


def test_the_explained_share_is_that_of_the_sums_of_squares():
    values = np.array([[0.0], [0.0], [2.0], [2.0]])
    groups = np.array(["a", "a", "b", "b"], dtype=object)
    assert strongest_features(values, ["f"], groups, count=3) == [{"feature": "f", "explained": 1}]
    mixed = np.array(["a", "b", "a", "b"], dtype=object)
    assert strongest_features(values, ["f"], mixed, count=3)[0]["explained"] == 0


@pytest.mark.no_cover
def test_looks_that_entities_share_by_chance_are_seldom_taken_for_a_proxy():
    """Sixteen people of ten rows: which of them are alike in look and group is chance."""
    told = {"rows": 0, "entities": 0}
    for seed in range(8):
        rng = np.random.default_rng(seed)
        entities = np.array([f"p{k // 10}" for k in range(160)], dtype=object)
        space = np.repeat(rng.normal(size=(16, 3)), 10, axis=0) + 0.1 * rng.normal(size=(160, 3))
        groups = np.repeat(rng.permutation(np.resize(["a", "b"], 16)), 10).astype(object)
        settings = {**SETTINGS, "seed": seed, "attribute": "g", "entities": list(entities)}
        proxy = find_proxy(space, groups, **settings)
        told["entities"] += proxy["verdict"] == "difference"
        # The floor of rows shuffled one by one, as if each told something of its own.
        floor = 0.5 + 1.645 * 0.5 / np.sqrt(160)
        told["rows"] += proxy["value"] > floor
    assert told["rows"] >= 2
    assert told["entities"] <= 1


def test_a_shuffle_by_entity_moves_whole_entities():
    units = np.array(["x", "y", "x", "z", "z", "y"], dtype=object)
    shuffle = _by_entity(units, np.random.default_rng(0))
    values = np.array([1, 2, 1, 3, 3, 2])
    seen = set()
    for _ in range(50):
        found = shuffle(values)
        assert found[0] == found[2]
        assert found[1] == found[5]
        assert found[3] == found[4]
        seen.add(tuple(found.tolist()))
        assert sorted(found.tolist()) == [1, 1, 2, 2, 3, 3]
    assert len(seen) == 6
    # Of another size: the giver's values in turn, cut to the rows there are.
    uneven = _by_entity(np.array(["x", "x", "x", "y", "y"]), np.random.default_rng(0))
    assert {tuple(uneven(np.array([1, 2, 3, 8, 9])).tolist()) for _ in range(20)} == {
        (1, 2, 3, 8, 9), (8, 9, 8, 1, 2),
    }  # fmt: skip
