"""The experiment over activation functions: what it measures, and what chooses the rate."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional

from plumbline.models.fnn import FeedForward
from plumbline.models.stacked import StackedNetworks
from plumbline.studies.feedforward import activations
from plumbline.training.data_modules.examples import Examples

SMALL = {
    "data": ("digits", "mnist_1d"), "functions": ("tanh", "relu"), "also_default": ("tanh",),
    "depths": (2,), "width": 12, "epochs": 6, "batch_size": 50, "train_rows": 300, "val_rows": 100,
    "test_rows": 200, "rates": (1e-6, 0.01), "tuning_seeds": 2, "seeds": 3,
    "thresholds": {"digits": 0.6, "mnist_1d": 0.99},
}  # fmt: skip


def run(**changes):
    told = []
    options = SimpleNamespace(**{**SMALL, **changes})
    rows = activations.run(options, 7, lambda *words: told.append(words))
    assert [done for done, *_ in told] == list(range(1, told[-1][1] + 1))
    return rows


@pytest.fixture(scope="module")
def rows():
    return run()


def test_there_is_a_row_per_setting_and_seed(rows):
    place = ["data", "function", "depth", "init", "seed"]
    assert len(rows) == len(rows.drop_duplicates(place)) == 2 * 3 * 3
    assert set(rows.loc[rows["init"] == "default", "function"]) == {"tanh"}


def test_the_rate_with_the_best_validation_accuracy_is_chosen(rows):
    digits = rows[rows["data"] == "digits"]
    assert set(digits["rate"]) == {0.01}
    assert digits["accuracy"].min() > 0.5  # chance: 0.1


def test_runs_are_equal_and_test_rows_choose_nothing(rows, monkeypatch):
    load = activations._load

    def spoiled(*arguments):
        found = load(*arguments)
        return activations.Data(found.rest, (found.test[0], 1 - found.test[1]))

    monkeypatch.setattr(activations, "_load", spoiled)
    other = run()
    pd.testing.assert_frame_equal(rows.drop(columns="accuracy"), other.drop(columns="accuracy"))
    assert (rows["accuracy"] > other["accuracy"]).any()


def test_what_never_reaches_the_threshold_has_a_reason(rows):
    reached = rows["epochs"].notna()
    assert (rows["data"] == "digits")[reached].all()
    assert reached.any()
    weights = (64 + 1) * 12 + (12 + 1) * 12 + (12 + 1) * 10
    assert rows["operations"][reached].to_numpy() == pytest.approx(
        (rows["epochs"][reached] * 300 * 6 * weights).to_numpy()
    )
    assert set(rows["reason"][~reached]) >= {"validation accuracy stayed below 0.99"}
    assert rows["reason"][reached].isna().all()


def stack_of(activation, depth=4):
    torch.manual_seed(3)
    networks = [
        FeedForward(
            inputs=5, outputs=10, hidden=[6] * depth, activation=activation, dropout=0.0,
            norm="none", init="xavier_normal",
        )
        for _ in range(2)
    ]  # fmt: skip
    return networks, StackedNetworks(networks)


def test_the_gradient_slope_is_that_of_each_network():
    alone, stack = stack_of("sigmoid")
    inputs, targets = torch.randn(2, 30, 5), torch.randint(10, (2, 30))
    found = activations.gradient_slopes(stack, Examples(inputs, targets))
    for member, network in enumerate(alone):
        functional.cross_entropy(network(inputs[member]), targets[member]).backward()
        norms = [m.weight.grad.norm().item() for m in network.body if isinstance(m, nn.Linear)]
        slope = np.polyfit(range(4), np.log10(norms), 1)[0]
        assert found[member] == pytest.approx(slope, rel=1e-4)
        assert slope > 0.3  # it vanishes towards the inputs


def test_a_gradient_of_zero_has_no_slope():
    alone, _ = stack_of("relu")
    nn.init.zeros_(alone[1].head.weight)
    data = Examples(torch.randn(2, 30, 5), torch.randint(10, (2, 30)))
    found = activations.gradient_slopes(StackedNetworks(alone), data)
    assert np.isfinite(found).tolist() == [True, False]


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_units_that_no_row_reaches_are_dead(activation):
    alone, _ = stack_of(activation)
    with torch.no_grad():
        alone[1].body[4].bias[:2] = -100
    inputs = torch.randn(2, 30, 5)
    found = activations.dead_shares(StackedNetworks(alone), inputs)
    for member, network in enumerate(alone):
        sums = [network.body[:end](inputs[member]) for end in (1, 5, 9, 13)]
        unreached = torch.stack([(part <= 0).all(0) for part in sums]).double().mean()
        assert unreached >= member * 2 / 24
        expected = float(unreached) if activation == "relu" else 0
        assert found[member] == pytest.approx(expected)
