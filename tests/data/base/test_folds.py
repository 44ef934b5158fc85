"""Folds: every sample tested once, strata shared out, entities whole, time never turned back."""

from collections import Counter

import numpy as np
import pytest

from plumbline.data.base.folds import forward_chaining, k_fold
from plumbline.errors import DataError

IDS = [f"sample {k}" for k in range(103)]


def test_folds_differ_by_one_sample_at_most_in_all_and_in_every_stratum():
    strata = [k % 3 for k in range(103)]
    folds = k_fold(IDS, folds=5, salt="s", strata=strata)
    assert sorted(Counter(folds.tolist()).values()) == [20, 20, 21, 21, 21]
    for stratum in range(3):
        sizes = Counter(folds[np.array(strata) == stratum].tolist()).values()
        assert max(sizes) - min(sizes) <= 1
        assert len(sizes) == 5


def test_a_sample_has_its_fold_whatever_the_order_of_the_rows():
    folds = dict(zip(IDS, k_fold(IDS, folds=4, salt="s"), strict=True))
    back = IDS[::-1]
    assert dict(zip(back, k_fold(back, folds=4, salt="s"), strict=True)) == folds
    assert list(k_fold(IDS, folds=4, salt="other")) != list(folds.values())


def test_an_entity_is_in_one_fold():
    entities = [f"patient {k // 4}" for k in range(103)]
    folds = k_fold(entities, folds=5, salt="s")
    where = {}
    for entity, fold in zip(entities, folds, strict=True):
        assert where.setdefault(entity, fold) == fold
    assert sorted(Counter(where.values()).values()) == [5, 5, 5, 5, 6]


def test_forward_chaining_trains_on_the_past_alone():
    times = [k // 2 for k in range(20)][::-1]  # 0 to 9, two rows each, the last first
    found = list(forward_chaining(times, folds=4))
    seen = [(sorted({times[i] for i in a}), sorted({times[i] for i in b})) for a, b in found]
    assert seen == [
        ([0, 1], [2, 3]),
        ([0, 1, 2, 3], [4, 5]),
        ([0, 1, 2, 3, 4, 5], [6, 7]),
        ([0, 1, 2, 3, 4, 5, 6, 7], [8, 9]),
    ]


def test_forward_chaining_takes_dates():
    times = np.array(["2024-01-01", "2024-01-02", "2024-02-01"], dtype="datetime64[D]")
    assert [(a.tolist(), b.tolist()) for a, b in forward_chaining(times, folds=2)] == [
        ([0], [1]),
        ([0, 1], [2]),
    ]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: k_fold(["a", "a"], folds=2, salt="s"),
            "number of folds must be in 2…1, got 2",
        ),
        (lambda: k_fold(IDS, folds=1, salt="s"), "number of folds must be in 2…103, got 1"),
        (lambda: k_fold(["a", "b"], folds=3, salt="s"), "number of folds must be in 2…2, got 3"),
        (
            lambda: next(forward_chaining([1, 1, 2], folds=2)),
            "number of folds must be in 1…1 (distinct times less one), got 2",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_divided_is_told(call, sentence):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == f"folds: {sentence}"
