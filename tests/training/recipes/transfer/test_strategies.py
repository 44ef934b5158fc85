from __future__ import annotations

import pytest

from plumbline.params.regularisation import StrategyParams
from plumbline.training.recipes.transfer.strategies import (
    STRATEGIES,
    learning_rate_scale,
    trained_parts,
)

SETTINGS = StrategyParams(stages=2, unfreeze_every=3, layer_decay=0.5, rank=4)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("scratch", [6] * 8),
        ("linear_probe", [1] * 8),
        ("full", [6] * 8),
        ("fine_tune", [6] * 8),
        ("layer_decay", [6] * 8),
        ("partial", [3] * 8),
        ("progressive", [1, 1, 1, 2, 2, 2, 3, 3]),
    ],
)
def test_the_parts_that_an_epoch_trains(strategy, expected):
    chosen = STRATEGIES[strategy]
    found = [trained_parts(chosen, SETTINGS, epoch=epoch, parts=6) for epoch in range(8)]
    assert found == expected


def test_no_more_parts_are_trained_than_there_are():
    found = [
        trained_parts(STRATEGIES[name], SETTINGS, epoch=99, parts=2)
        for name in ("partial", "progressive")
    ]
    assert found == [2, 2]


def test_learning_rates_fall_from_the_head_to_the_stem():
    depths = {"head": 0, "last": 1, "first": 2}

    def rates(strategy: str) -> list[float]:
        scale = learning_rate_scale(STRATEGIES[strategy], SETTINGS, backbone=0.1, depths=depths)
        return [scale(name) for name in (*depths, "adapter")]

    assert rates("layer_decay") == pytest.approx([1, 0.05, 0.025, 1])
    assert rates("full") == rates("partial") == pytest.approx([1, 0.1, 0.1, 1])
    assert rates("scratch") == [1, 1, 1, 1]
