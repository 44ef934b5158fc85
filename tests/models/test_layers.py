from __future__ import annotations

import math
import re
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from plumbline.models import layers
from plumbline.params.models import FnnParams


def choices(field: str) -> set[str]:
    return set(get_args(FnnParams.model_fields[field].annotation))


def test_every_name_the_parameters_allow_is_known():
    assert choices("activation") == set(layers.ACTIVATIONS)
    assert choices("norm") == set(layers.NORMS)
    assert choices("init") == {"default", *layers.INITS}


@pytest.mark.parametrize(
    ("name", "at_one", "at_minus_one"),
    [
        ("sigmoid", 1 / (1 + math.exp(-1)), 1 / (1 + math.e)),
        ("tanh", math.tanh(1), -math.tanh(1)),
        ("relu", 1, 0),
        ("leaky_relu", 1, -0.01),
        ("prelu", 1, -0.25),
        ("rrelu", 1, -(1 / 8 + 1 / 3) / 2),
        ("elu", 1, math.exp(-1) - 1),
        ("silu", 1 / (1 + math.exp(-1)), -1 / (1 + math.e)),
        ("gelu", 0.5 * (1 + math.erf(1 / math.sqrt(2))), -0.5 * (1 - math.erf(1 / math.sqrt(2)))),
        ("gelu_tanh", 0.8411919906, -0.1588080094),
        ("identity", 1, -1),
    ],
)
def test_activations_have_their_formula_in_evaluation(name, at_one, at_minus_one):
    layer = layers.activation(name).eval()
    out = layer(torch.tensor([1.0, -1.0]))
    assert out.tolist() == pytest.approx([at_one, at_minus_one], abs=1e-6)


def test_an_unknown_name_is_refused_with_the_known_ones():
    message = "models.layers: norm must be one of ['batch', 'layer', 'none'], got 'group'"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        layers.norm("group", 4)


@pytest.mark.parametrize(
    ("init", "variance"),
    [
        ("he_normal", 2 / 400),
        ("he_uniform", 2 / 400),
        ("xavier_normal", 2 / (400 + 100)),
        ("xavier_uniform", 2 / (400 + 100)),
    ],
)
def test_initialisations_have_the_variance_of_their_paper(init, variance):
    torch.manual_seed(0)
    layer = torch.nn.Linear(400, 100)
    layers.initialise(layer, init=init)
    # 40,000 draws: the relative standard error of a variance is below 0.8 %.
    assert layer.weight.var().item() == pytest.approx(variance, rel=0.04)
    assert layer.bias.abs().max() == 0


def test_seeded_weights_repeat_and_leave_torchs_own_generator_as_it_is():
    before = torch.get_rng_state()
    drawn = []
    for seed in (1, 1, 2):
        with layers.seeded_weights(seed):
            drawn.append(nn.Linear(3, 2).weight)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(torch.get_rng_state(), before)


def test_the_default_initialisation_leaves_what_torch_drew():
    layer = torch.nn.Linear(3, 2)
    before = layer.weight.clone()
    layers.initialise(layer, init="default")
    assert torch.equal(layer.weight, before)


def test_standardised_features_have_mean_zero_and_deviation_one_far_from_zero():
    rng = np.random.default_rng(0)
    raw = rng.normal(loc=[10_000, -3], scale=[2, 0.1], size=(500, 2))
    layer = layers.Standardise(2)
    layer.fit(torch.tensor(raw))
    out = layer(torch.tensor(raw, dtype=torch.float32))
    assert out.mean(0).abs().max() < 1e-3
    assert out.std(0, correction=0).tolist() == pytest.approx([1, 1], abs=1e-3)


def test_a_constant_feature_is_only_centred():
    layer = layers.Standardise(1)
    layer.fit(torch.full((5, 1), 7.0))
    assert layer(torch.tensor([[7.0], [9.0]])).flatten().tolist() == [0, 2]


def test_rescaling_undoes_standardising():
    targets = torch.tensor([[100.0], [300.0]])
    forth, back = layers.Standardise(1), layers.Rescale(1)
    forth.fit(targets)
    back.fit(targets)
    assert back(forth(targets)).flatten().tolist() == [100, 300]


def test_pixel_statistics_are_those_of_numpy():
    images = torch.randint(0, 256, (7, 2, 4, 4), dtype=torch.uint8)
    mean, scale = layers.pixel_statistics(images)
    reference = images.numpy().astype("float64") / 255
    assert mean == pytest.approx(reference.mean(axis=(0, 2, 3)), rel=1e-12)
    assert scale == pytest.approx(reference.std(axis=(0, 2, 3)), rel=1e-12)


def test_black_images_have_scale_one():
    assert layers.pixel_statistics(torch.zeros(2, 1, 3, 3, dtype=torch.uint8)) == ([0.0], [1.0])


def test_bytes_and_floats_in_byte_units_scale_alike():
    layer = layers.ScalePixels(mean=[0.2], scale=[0.5])
    byte = torch.tensor([[[[0, 255, 51]]]], dtype=torch.uint8)
    assert torch.equal(layer(byte), layer(byte.float()))
    assert layer(byte).flatten().tolist() == pytest.approx([-0.4, 1.6, 0.0], abs=1e-6)


def test_scaling_leaves_its_input_as_it_is_and_passes_the_gradient() -> None:
    layer = layers.ScalePixels(mean=[0.2], scale=[0.5])
    pixels = torch.full((1, 1, 2, 2), 51.0, requires_grad=True)
    layer(pixels).sum().backward()
    assert (pixels == 51).all()
    assert pixels.grad is not None
    assert pixels.grad.flatten().tolist() == pytest.approx([1 / 255 / 0.5] * 4)


@pytest.mark.parametrize(
    ("layout", "other"),
    [
        (torch.channels_last, torch.contiguous_format),
        (torch.contiguous_format, torch.channels_last),
    ],
)
def test_a_gradient_is_laid_out_as_the_maps_it_belongs_to(layout, other):
    torch.manual_seed(0)
    given = torch.randn(3, 5, 4, 4).contiguous(memory_format=other)
    start = torch.randn(3, 5, 4, 4).contiguous(memory_format=layout).requires_grad_()

    def arriving(keep):
        seen = []
        maps = keep(start * 1.0)
        maps.register_hook(seen.append)
        maps.backward(given)
        return seen[0]

    kept, plain = arriving(layers.keep_layout), arriving(lambda maps: maps)
    assert kept.is_contiguous(memory_format=layout)
    assert not plain.is_contiguous(memory_format=layout)
    assert torch.equal(kept, plain)


def test_maps_that_need_no_gradient_are_left_alone():
    maps = torch.zeros(1, 2, 4, 4)
    assert layers.keep_layout(maps) is maps


def test_dropped_weights_are_as_many_as_said_and_outputs_keep_their_mean():
    torch.manual_seed(4)
    layer = layers.DropConnect(50, 40, share=0.3).train()
    eye = torch.eye(50)
    with torch.no_grad():
        draws = torch.stack([layer(eye) - layer.bias for _ in range(400)])  # the weights themselves
    weight = layer.weight.detach().T
    kept = draws != 0
    assert float(kept.double().mean()) == pytest.approx(0.7, abs=0.005)
    torch.testing.assert_close(draws[kept], (weight / 0.7).expand_as(draws)[kept])
    assert torch.allclose(draws.mean(0), weight, atol=0.03)
    torch.testing.assert_close(layer.eval()(eye), torch.nn.functional.linear(
        eye, layer.weight, layer.bias))  # fmt: skip


def test_no_dropped_weights_are_a_linear_layer_and_draw_nothing():
    layer, x = layers.DropConnect(5, 4, share=0.0, bias=False).train(), torch.randn(3, 5)
    before = torch.get_rng_state()
    assert torch.equal(layer(x), torch.nn.functional.linear(x, layer.weight))
    assert torch.equal(torch.get_rng_state(), before)
