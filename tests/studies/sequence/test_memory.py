"""The study of memory: stacks, slopes, lengths, and which settings are trained on."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from plumbline.studies.sequence import memory
from plumbline.studies.sequence.memory_tasks import TASKS

OPTIONS = SimpleNamespace(
    seeds=2, lengths=(4, 6), width=8, updates=20, batch_size=8, rates=(0.01,),
    pilots=1, pilot_length=4, clip_norm=1.0,
    check_every=5, test_sequences=40, solved=0.9, gradient_every=2,
)  # fmt: skip


def stack(*names, task="adding", rate=0.01, **changes):
    options = SimpleNamespace(**{**vars(OPTIONS), **changes})
    settings, rates = [memory.SETTINGS[name] for name in names], [rate] * len(names)
    return memory.Stack(TASKS[task], settings, rates, range(options.seeds), options, 7)


def test_a_setting_trains_alone_as_it_trains_among_others():
    alone, both = stack("lstm_bias_1"), stack("lstm", "lstm_bias_1")
    alone.train(4), both.train(4)
    for name, weight in alone.weights.items():
        torch.testing.assert_close(weight, both.weights[name][2:])
        assert not torch.equal(weight[0], weight[1])  # of two seeds


def test_each_setting_of_a_stack_has_its_own_rate():
    settings = [memory.SETTINGS["lstm"]] * 2
    both = memory.Stack(TASKS["adding"], settings, [0.01, 0.03], range(2), OPTIONS, 7)
    alone = [stack("lstm"), stack("lstm", rate=0.03)]
    for each in (both, *alone):
        each.train(4)
    for name, weight in both.weights.items():
        expected = torch.cat([each.weights[name] for each in alone])
        torch.testing.assert_close(weight, expected, rtol=1e-3, atol=1e-5)


def test_the_rate_with_the_best_pilot_is_taken_and_equal_settings_share_it(monkeypatch):
    tried = []

    def train(stack, length):
        tried.append((list(stack.rates), list(stack.numbers), length))
        return torch.tensor([[0.1, 0.5, 0.2, 0.9, 0.3, 0.8], [0.1, 0.7, 0.2, 0.3, 0.3, 0.9]])

    monkeypatch.setattr(memory.Stack, "train", train)
    options = SimpleNamespace(**{**vars(OPTIONS), "rates": (0.1, 0.2, 0.3)})
    names = ["tanh", "tanh_again", "tanh_orthogonal"]
    found = memory._Measured("adding", names, options, 7)
    assert tried == [([0.1, 0.2, 0.3] * 2, [2], 4)]  # a further seed
    rates = [(name, value) for _, name, what, *_, value, _ in found.rows if what == "rate"]
    assert rates == [("tanh", 0.2)] * 2 + [("tanh_again", 0.2)] * 2 + [("tanh_orthogonal", 0.3)] * 2


def test_other_seeds_start_elsewhere_and_see_the_same_sequences():
    both = stack("tanh", "tanh_again")
    assert not torch.equal(both.weights["input"][0], both.weights["input"][2])
    x, _ = both.batch(5, 4, both.generators(1))
    assert torch.equal(x[:2], x[2:])
    assert not torch.equal(x[0], x[1])


def test_the_gradient_is_clipped_network_by_network():
    weights = [torch.zeros(3, 2), torch.zeros(3, 1)]
    weights[0].grad = torch.tensor([[3.0, 0], [3, 0], [0.3, 0]])
    weights[1].grad = torch.tensor([[4.0], [4], [0.4]])
    memory._clip(weights, torch.tensor([1.0, torch.inf, 1.0]))
    assert weights[0].grad[:, 0].tolist() == pytest.approx([0.6, 3, 0.3])
    assert weights[1].grad[:, 0].tolist() == pytest.approx([0.8, 4, 0.4])


def test_a_network_that_diverges_says_so_and_leaves_the_others():
    found = stack("relu_identity", "relu_unclipped")
    with torch.no_grad():
        found.weights["recurrent"][2:] *= 1e30
    scores = found.train(6)
    assert scores.shape == (4, 4)  # evaluations, networks
    assert torch.isfinite(scores[:, :2]).all()
    assert scores[:, 2:].max() < -9


def test_training_ends_once_all_have_solved():
    found = stack("transformer", task="copying", updates=2000, check_every=10, rate=0.03)
    scores = found.train(4)
    assert (scores.amax(0) >= 0.9).all()
    assert (scores[:-1].amax(0) < 0.9).any()  # it did not go on
    assert scores.max() <= 1


def test_slopes_are_those_of_a_geometric_series():
    back = torch.arange(10).flip(0)
    norms = torch.stack([torch.exp(-0.5 * back), torch.exp(0.1 * back), torch.zeros(10)])
    late = torch.full((3, 2), 99.0)  # steps with outputs do not count
    found = memory.slopes(torch.cat([norms, late], dim=1), 2)
    assert found[:2] == pytest.approx([-0.5, 0.1], abs=1e-5)
    assert np.isnan(found[2])


def test_the_longest_length_is_that_below_which_all_are_solved(monkeypatch):
    results = {4: [0.95, 0.5], 6: [0.95, 0.95], 8: [0.1, 0.2]}
    trained = []

    def train(_, length):
        trained.append(length)
        return torch.tensor([results[length], [0.0, 0.0]])

    options = SimpleNamespace(**{**vars(OPTIONS), "lengths": (8, 4, 6, 10)})
    found = memory._Measured("adding", ["gru"], options, 7)
    monkeypatch.setattr(memory.Stack, "train", train)
    for length in (4, 6, 8, 10):
        found.train(length)
    found.end(["gru"])
    assert trained == [4, 6, 8]  # no seed solves 8
    assert [row[6] for row in found.rows[-2:]] == [6, 0]


def test_the_rank_correlation_is_spearmans_and_undefined_without_differences():
    names = memory.RECURRENT
    slope, longest = np.arange(len(names)) / 10, np.array([0, 10, 10, 20, 50, 50, 20, 100, 100])
    rows = pd.DataFrame(
        [
            ("adding", name, quantity, seed, value)
            for seed in (0, 1)
            for quantity, values in (("slope", slope), ("longest", longest * (1 - seed)))
            for name, value in zip(names, values, strict=True)
        ],
        columns=["task", "setting", "quantity", "seed", "value"],
    )
    found = memory._rank_correlations(rows, "adding")
    expected = pd.Series(slope).corr(pd.Series(longest), method="spearman")
    assert found["value"][0] == pytest.approx(expected)
    assert np.isnan(found["value"][1])
    assert found["reason"][1] == "all settings solve the same lengths"


def test_equal_seeds_give_equal_rows():
    options = SimpleNamespace(**{**vars(OPTIONS), "lengths": (4,), "updates": 5})
    first, second = (memory.run(options, 3, lambda *_: None) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    assert set(first["setting"]) == {*memory.SETTINGS, "recurrent"}


def test_settings_that_differ_in_clipping_alone_are_trained_at_the_same_lengths(monkeypatch):
    names = ["relu_identity", "relu_unclipped"]
    found = memory._Measured("adding", names, OPTIONS, 7)
    solved = torch.tensor([[0.95, 0.95, 0.1, 0.1]])
    monkeypatch.setattr(memory.Stack, "train", lambda *_: solved)
    found.train(4)
    found.train(6)
    lengths = {(name, length) for _, name, quantity, length, *_ in found.rows if length}
    assert lengths == {(name, length) for name in names for length in (4, 6)}
