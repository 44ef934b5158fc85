"""The study of labels: draws, pairs and gains. Its quick size runs in test_laboratories."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from plumbline.params.apply import load_sized
from plumbline.studies.transfer import labels


@pytest.fixture(scope="module")
def data(root):
    options = load_sized(root, "transfer", "quick").labels
    changed = {"pictures": 300, "ways": {"digits": 5}, "episodes": 3}
    return labels._Data("digits", options.model_copy(update=changed), seed=0)


def test_an_episode_has_five_classes_and_no_common_row(data):
    tasks = data._tasks([1])
    assert len(tasks) == 3
    for task in tasks:
        train = task.train(10)
        assert len(train) == 50
        assert not set(train.tolist()) & set(task.test.tolist())
        assert sorted(set(task.codes[train].tolist())) == [0, 1, 2, 3, 4]
        assert set(task.codes[task.test].tolist()) == {0, 1, 2, 3, 4}
        assert set(task.train(1).tolist()) < set(task.train(2).tolist()) < set(train.tolist())


def test_another_draw_is_another_one(data):
    first, again, same = (data._tasks(seed)[0].train(5) for seed in ([1, 0], [1, 1], [1, 0]))
    assert torch.equal(first, same)
    assert not torch.equal(first, again)


def test_few_shot_data_have_no_more_labels_than_their_episodes(data):
    assert data._labels() == [1, 10]


def test_the_gain_is_on_the_network_from_scratch_of_the_same_seed():
    place = {"data": "digits", "labels": "1", "draw": "first"}
    rows = pd.DataFrame(
        [
            {**place, "seed": 0, "source": "none", "accuracy": 0.5},
            {**place, "seed": 0, "source": "glyphs", "accuracy": 0.75},
            {**place, "seed": 1, "source": "glyphs", "accuracy": 0.75},
        ]
    )
    found = labels._with_gain(rows)
    assert found["gain"].tolist()[:2] == [0.0, 0.25]
    assert found["gain"].isna().tolist() == [False, False, True]
    assert found["reason"].notna().tolist() == [False, False, True]
