"""Compression of ONNX models, on a network small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from plumbline.studies.transfer import compression, onnx_models

INPUTS = torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def network():
    plain = nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU6(),
        nn.Conv2d(4, 4, 3, groups=4, bias=False), nn.Flatten(),
    )  # fmt: skip
    with torch.no_grad():
        plain[0].weight.copy_(torch.arange(1.0, 37).view(4, 1, 3, 3) / 36)
        plain[3].weight.copy_(torch.full((4, 1, 3, 3), 0.01))
        plain[3].weight[0] = 10.0
    return plain.eval()


@pytest.fixture(scope="module")
def model(network):
    return onnx_models.export(network, INPUTS)


def of_kind(model, kind):
    (name,) = (n for n, k in onnx_models.weights(model).items() if k == kind)
    (found,) = (numpy_helper.to_array(w) for w in model.graph.initializer if w.name == name)
    return found


def test_the_export_computes_what_the_network_computes_for_any_number_of_rows(network, model):
    with torch.no_grad():
        expected = network(INPUTS).numpy()
    np.testing.assert_allclose(onnx_models.evaluate(model, INPUTS), expected, rtol=1e-5, atol=1e-4)


def test_a_model_takes_the_weights_of_another_network():
    first, second = (
        nn.Sequential(
            *(layer for _ in range(2) for layer in (nn.Conv2d(1, 1, 3), nn.BatchNorm2d(1)))
        )
        for _ in range(2)
    )
    second[1].running_mean += 1
    first, second = (compression.folded(network) for network in (first, second))
    model = onnx_models.export(first, INPUTS)
    changed = onnx_models.with_weights(model, second.state_dict())
    with torch.no_grad():
        np.testing.assert_allclose(
            onnx_models.evaluate(changed, INPUTS), second(INPUTS).numpy(), atol=1e-6
        )
    with pytest.raises(ValueError, match=r"^onnx_models: the model must have each weight, got no "
                                         r"\['other'\]$"):  # fmt: skip
        onnx_models.with_weights(model, {"other": torch.zeros(1)})


def test_the_small_network_is_exported_with_every_weight():
    network = compression.image_networks.build("vgg", 16, parameters=3000, seed=1)
    body = compression.folded(network[:-1])
    model = onnx_models.with_weights(compression._exported(16, 3000), body.state_dict())
    inputs = torch.rand(5, 1, 16, 16)
    with torch.no_grad():
        np.testing.assert_allclose(
            onnx_models.evaluate(model, inputs), body(inputs).numpy(), atol=1e-4
        )


def test_the_export_names_no_file(model):
    assert b".py" not in model.SerializeToString()


def test_one_step_for_all_channels_rounds_small_ones_away_and_one_per_channel_does_not(model):
    depthwise = [onnx_models.DEPTHWISE]
    rounded = onnx_models.round_weights(model, depthwise, per_channel=False)
    assert np.unique(of_kind(rounded, onnx_models.DEPTHWISE)).tolist() == [0.0, 10.0]
    rounded = onnx_models.round_weights(model, depthwise, per_channel=True)
    before, after = (of_kind(m, onnx_models.DEPTHWISE) for m in (model, rounded))
    np.testing.assert_allclose(after, before, rtol=1e-6)
    others = (of_kind(m, onnx_models.OTHERS) for m in (model, rounded))
    np.testing.assert_array_equal(*others)


def test_pruning_takes_the_smallest_weights_of_all_layers_or_of_each(model):
    together, each = (onnx_models.prune(model, 0.25, by_layer=by) for by in (False, True))
    # Of the second layer, 27 of 36 weights are 0.01; all of the first one are larger.
    assert (of_kind(together, onnx_models.DEPTHWISE) == 0).sum() == 27
    assert (of_kind(together, onnx_models.OTHERS) == 0).sum() == 0
    assert (of_kind(each, onnx_models.OTHERS) == 0).sum() == 9
    assert onnx_models.left(model) == 1
    assert onnx_models.left(together) == 1 - 27 / 72


def test_quantisation_leaves_the_model_as_it_was_and_comes_close(model):
    before = model.SerializeToString(deterministic=True)
    quantised = onnx_models.quantise(model, INPUTS, per_channel=True)
    assert model.SerializeToString(deterministic=True) == before
    exact, found = (onnx_models.evaluate(m, INPUTS) for m in (model, quantised))
    assert np.abs(found - exact).max() < 0.03 * np.abs(exact).max()
    assert (found != exact).any()
    again = onnx_models.evaluate(onnx_models.quantise(model, INPUTS, per_channel=True), INPUTS)
    np.testing.assert_array_equal(found, again)
