"""Deep networks: layers, starts, and gradients that equal those of each network alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import plumbline.training  # noqa: F401  (installs the torchvision guard before Lightning is imported)
from plumbline.studies.feedforward.deep import networks as deep
from plumbline.studies.feedforward.deep.networks import Shape
from plumbline.training.recipes.stack_training import cross_entropy

SIZES = {"inputs": 6, "outputs": 3}


def parameters(**changes):
    network = deep.build(
        Shape(**{"depth": 5, "width": 8, "activation": "relu", **changes}), **SIZES
    )
    return sum(p.numel() for p in network.parameters())


def test_plain_and_residual_networks_have_the_same_parameters():
    assert parameters() == parameters(block="residual") == (6 + 1 + 4 * 9) * 8 + 9 * 3
    assert parameters(norm="batch") == parameters(norm="group") == parameters() + 5 * 16


def test_a_residual_block_adds_its_input():
    network = deep.build(Shape(2, 8, "tanh", block="residual"), **SIZES)
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    first, block, _, activation, head = network
    hidden = first(x)
    inner = block.body[2](hidden.tanh())
    assert torch.equal(network(x), head(activation(hidden + inner)))


def test_a_shut_highway_hands_its_input_on_and_an_open_one_its_layers_output():
    gate = deep.Highway(4, nn.Linear(4, 4))
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        gate.gate.weight.zero_()
        gate.gate.bias.fill_(-50.0)
        assert torch.allclose(gate(x), x)
        gate.gate.bias.fill_(50.0)
        assert torch.allclose(gate(x), gate.body(x))


@pytest.mark.parametrize("init", ["default", "xavier", "he", "small", "large"])
def test_weights_have_the_variance_that_the_theory_takes(init):
    stack = deep.build_stack(Shape(3, 64, "tanh", init), **SIZES, seeds=range(20))
    gain, bias = deep.weight_gain(init, inputs=64, outputs=64)
    layer = deep.hidden_layers(stack)[1]
    assert float(layer.weight.detach().var()) * 64 == pytest.approx(gain, rel=0.02)
    assert float(layer.bias.detach().square().mean()) == pytest.approx(bias, rel=0.1)


def test_the_seed_alone_decides_the_start_and_torch_s_generator_stays():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, two = (deep.build_stack(Shape(3, 8, "relu"), **SIZES, seeds=[4, s]) for s in (5, 6))
    assert torch.equal(torch.get_rng_state(), before)
    first, second = (deep.hidden_layers(stack)[0].weight for stack in (one, two))
    assert torch.equal(first[0], second[0])
    assert not torch.equal(first[1], second[1])


@pytest.mark.parametrize("block", deep.BLOCKS)
def test_gradients_and_signal_are_those_of_each_network_alone(block):
    shape, seeds = Shape(4, 8, "tanh", block=block), [1, 2]
    stack = deep.build_stack(shape, **SIZES, seeds=seeds).double()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(7, 6, generator=generator, dtype=torch.float64)
    y = torch.arange(7) % 3
    found = deep.gradient_norms(stack, lambda n: cross_entropy(n(x[None]), y.expand(2, -1)))
    for member in range(2):
        alone = deep.build(shape, **SIZES).double()
        alone.load_state_dict(stack.member(member))
        names = [
            n for n, m in alone.named_modules() if isinstance(m, nn.Linear) and "gate" not in n
        ]
        outputs = []
        for name in names[:-1]:
            layer = alone.get_submodule(name)
            layer.register_forward_hook(lambda m, a, out, kept=outputs: kept.append(out))
        loss = nn.functional.cross_entropy(alone(x), y)
        weights = [alone.get_submodule(name).weight for name in names[:-1]]
        signals = torch.autograd.grad(loss, outputs, retain_graph=True)
        gradients = torch.autograd.grad(loss, weights)
        expected = [[g.norm() for g in signals], [g.norm() for g in gradients],
                    [z.detach().flatten().var() for z in outputs]]  # fmt: skip
        for part, values in zip(found, expected, strict=True):
            assert part[member].tolist() == pytest.approx([float(v) for v in values], rel=1e-9)
