"""Stacked networks for sequences: cells are torch's, attention is causal, starts are as named."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from plumbline.studies.sequence import recurrences
from plumbline.studies.sequence.recurrences import Setting

INPUTS, OUTPUTS, WIDTH, STEPS = 3, 2, 8, 7
# Where torch has our gates: forget, input, output, candidate; keep (its update), reset, new.
ORDERS = {"lstm": [1, 0, 3, 2], "gru": [1, 0, 2], "tanh": [0], "relu": [0]}


def network(setting, seed=5):
    return recurrences.initialise(
        setting, inputs=INPUTS, outputs=OUTPUTS, width=WIDTH, steps=STEPS, seed=seed
    )


def outputs(setting, x, last, seeds=(5, 6)):
    weights = recurrences.stacked([network(setting, seed) for seed in seeds])
    return recurrences.outputs_of(setting, weights, x, last)


def sequences(seeds=2):
    return torch.randn(seeds, STEPS, 4, INPUTS, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("cell", sorted(recurrences.CELLS))
def test_a_cell_computes_what_torch_computes(cell):
    ours = network(Setting(cell))
    kinds = {"lstm": nn.LSTM, "gru": nn.GRU}
    theirs = (
        kinds[cell](INPUTS, WIDTH)
        if cell in kinds
        else nn.RNN(INPUTS, WIDTH, nonlinearity=cell)
    )  # fmt: skip

    def ordered(weight):
        gates = weight.chunk(len(ORDERS[cell]), dim=1)
        placed = [gates[ORDERS[cell].index(number)] for number in range(len(gates))]
        return torch.cat(placed, dim=1).T

    with torch.no_grad():
        theirs.weight_ih_l0.copy_(ordered(ours["input"]))
        theirs.weight_hh_l0.copy_(ordered(ours["recurrent"]))
        theirs.bias_ih_l0.copy_(ordered(ours["bias"]).squeeze(1))
        theirs.bias_hh_l0.zero_()
        x = sequences()
        states, _ = theirs(x[0])
        expected = states[-2:] @ ours["head"] + ours["head_bias"]
        found = outputs(Setting(cell), x, last=2)
    torch.testing.assert_close(found[0], expected)


@pytest.mark.parametrize("setting", [Setting("tanh", attention=True), Setting("transformer")])
def test_outputs_see_no_later_step_but_all_earlier_ones(setting):
    x = sequences().requires_grad_()
    (found,) = torch.autograd.grad(outputs(setting, x, last=3)[:, 0].sum(), x)
    seen = found.abs().sum((0, 2, 3)) > 0
    assert seen.tolist() == [True] * (STEPS - 2) + [False] * 2


def test_attention_is_the_weighted_mean_of_states():
    setting = Setting("tanh", attention=True)
    own = network(setting)
    x = sequences()[:1]
    states, state = [], torch.zeros(4, WIDTH)
    for each in x[0]:
        state = (each @ own["input"] + own["bias"] + state @ own["recurrent"]).tanh()
        states.append(state)
    scores = [
        (state @ own["query"] + each @ own["key"]).tanh() @ own["score"] for each in states
    ]  # fmt: skip
    shares = torch.stack(scores).softmax(0)
    context = (shares * torch.stack(states)).sum(0)
    expected = state @ own["head"] + own["head_bias"] + context @ own["context"]
    found = outputs(setting, x, last=1, seeds=(5,))
    torch.testing.assert_close(found[0, 0].detach(), expected)


def test_starts_are_as_their_setting_says():
    orthogonal = network(Setting("tanh", "orthogonal"))["recurrent"]
    torch.testing.assert_close(orthogonal @ orthogonal.T, torch.eye(WIDTH))
    identity = network(Setting("relu", "identity"))
    assert torch.equal(identity["recurrent"], torch.eye(WIDTH))
    plain, biased = network(Setting("lstm")), network(Setting("lstm", gate_bias=3.0))
    assert (biased["bias"][0, :WIDTH] == 3).all()
    assert torch.equal(plain["bias"][0, WIDTH:], biased["bias"][0, WIDTH:])
    assert torch.equal(plain["recurrent"], biased["recurrent"])  # one draw for all contrasts
    assert plain["recurrent"].abs().max() <= 1 / math.sqrt(WIDTH)


def test_gradient_norms_fall_by_the_recurrent_weight_of_a_linear_cell():
    weights = recurrences.stacked([network(Setting("relu", "identity"))])
    weights = {name: value.detach().abs() for name, value in weights.items()}
    weights["recurrent"] = 0.1 * torch.eye(WIDTH)[None]
    x = sequences()[:1].abs() + 0.1
    norms = recurrences.gradient_norms(
        Setting("relu"), weights, x, lambda found: found.sum((1, 2, 3)), last=1
    )
    ratios = norms[0, :-1] / norms[0, 1:]
    torch.testing.assert_close(ratios, torch.full_like(ratios, 0.1), rtol=1e-6, atol=0)
