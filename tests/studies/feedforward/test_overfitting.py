"""Techniques against overfitting: each does what it says, alone and as measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from plumbline.models.stacked import StackedNetworks
from plumbline.params.apply import load_sized
from plumbline.studies.feedforward import overfitting


@pytest.fixture(scope="module")
def options(root):
    return load_sized(root, "feedforward", "quick").overfitting


def run(options, *techniques, **changes):
    chosen = {name: options.techniques[name] for name in techniques}
    small = options.model_copy(update={"techniques": chosen, **changes})
    return overfitting.run(small, 3, lambda *words: None).set_index(["data", "technique", "seed"])


def test_techniques_narrow_the_gap_of_a_network_that_overfits(options):
    rows = run(options, "none", "more_data", "dropout", data=("digits",), epochs=30)
    gap = rows.loc["digits"]["gap"].groupby("technique").mean()
    assert gap["none"] > 0.2
    assert gap["more_data"] < gap["none"]
    assert gap["dropout"] < gap["none"]
    assert rows["gap"].to_numpy() == pytest.approx(
        (rows["test_loss"] - rows["train_loss"]).to_numpy()
    )


def test_a_regression_has_a_reason_for_what_it_lacks(options):
    rows = run(options, "none", data=("diabetes",))
    assert rows[["accuracy", "calibration_error"]].isna().all(axis=None)
    assert set(rows["reason"]) == {"a regression has no classes"}
    assert np.isfinite(rows["test_loss"]).all()


def test_the_size_of_digits_that_move_stays_and_each_moves_by_itself():
    images = torch.zeros(1, 200, 8, 8)
    images[:, :, 3, 4] = 1
    rng, targets = np.random.default_rng(1), torch.zeros(1, 200, 10)
    moved, same = overfitting._transform(images.flatten(2), targets, shift=1, mixup=0.0, rng=rng)
    assert same is targets
    places = moved.reshape(200, 8, 8).nonzero()
    assert {(int(row), int(column)) for _, row, column in places} == {
        (row, column) for row in (2, 3, 4) for column in (3, 4, 5)
    }
    assert len(places) == 200


def test_mixed_rows_lie_between_two_rows_with_their_targets():
    inputs = torch.eye(6)[None]
    mixed, targets = overfitting._transform(
        inputs, 2 * inputs, shift=0, mixup=0.3, rng=np.random.default_rng(2)
    )
    torch.testing.assert_close(targets, 2 * mixed)
    assert mixed.sum(-1).flatten().tolist() == pytest.approx([1.0] * 6)
    assert ((mixed > 0).sum(-1) == 2).any()


def test_an_ensemble_has_the_mean_probability_or_value_of_its_members():
    outputs = torch.randn(6, 4, 3)
    found = overfitting._mean_of_members(outputs, 3, True).exp()
    assert torch.allclose(found[1], outputs[3:].softmax(-1).mean(0), atol=1e-6)
    assert torch.allclose(overfitting._mean_of_members(outputs, 3, False)[0], outputs[:3].mean(0))


def test_losses_are_those_of_torch():
    outputs, codes = torch.randn(2, 5, 3), torch.randint(3, (2, 5))
    targets = functional.one_hot(codes, 3).float()
    found = overfitting._of_logits(outputs, overfitting._smooth(targets, 0.2), True)
    for member in range(2):
        expected = functional.cross_entropy(outputs[member], codes[member], label_smoothing=0.2)
        assert float(found[member]) == pytest.approx(float(expected))
    values = overfitting._of_logits(outputs[..., :1], targets[..., :1], False)
    assert float(values[1]) == pytest.approx(
        float(functional.mse_loss(outputs[1, :, :1], targets[1, :, :1]))
    )


@pytest.mark.parametrize(("name", "last"), [("step", 0.01), ("exponential", 0.01), ("cosine", 0.0)])
def test_schedules_end_at_a_hundredth_of_the_rate_or_less(name, last):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = overfitting._schedule(optimizer, name, 30)
    for _ in range(29):
        optimizer.step()
        schedule.step()
    assert schedule.get_last_lr()[0] == pytest.approx(last, abs=0.003)
    assert overfitting._schedule(optimizer, "constant", 30) is None


def test_pruning_removes_the_smallest_weights_of_each_network():
    torch.manual_seed(1)
    alone = [nn.Sequential(nn.Linear(10, 5)) for _ in range(2)]
    stack = StackedNetworks(alone)
    with torch.no_grad():
        overfitting._prune(stack, 0.8)
    for member, network in enumerate(alone):
        found, sizes = stack.member(member)["0.weight"], network[0].weight.detach().abs()
        limit = sizes.flatten().sort().values[39]
        assert torch.equal(found != 0, sizes > limit)
        assert int((found != 0).sum()) == 10
        assert torch.equal(stack.member(member)["0.bias"], network[0].bias)


def test_penalties_make_weights_small_and_l1_makes_them_zero(options, monkeypatch):
    kept = {}
    monkeypatch.setattr(
        overfitting, "_prune", lambda stack, share: kept.setdefault(len(kept), stack.member(0))
    )
    run(options, "none", "l2", "l1", data=("digits",), epochs=40)
    sums = [float(state["2.weight"].square().sum()) for state in kept.values()]
    assert sums[1] < 0.9 * sums[0]
    assert sums[2] < 0.9 * sums[0]
    shares = [float((state["2.weight"].abs() < 1e-3).double().mean()) for state in kept.values()]
    assert shares[2] > 3 * max(shares[0], 0.01)


def test_early_stopping_ends_with_the_best_epoch_on_rows_it_does_not_train_on(options):
    rows = run(options, "none", "early_stopping", data=("diabetes",), epochs=60)
    losses = rows.loc["diabetes"]["test_loss"].groupby("technique").mean()
    assert losses["early_stopping"] < losses["none"]
    assert math.isfinite(losses["none"])
