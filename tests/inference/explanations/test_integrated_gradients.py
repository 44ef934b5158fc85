"""Integrated gradients against closed forms."""

import pytest
import torch

from plumbline.inference.explanations import integrated_gradients as attributions
from plumbline.inference.explanations.integrated_gradients import integrated_gradients
from plumbline.models import build


def test_a_linear_function_gives_each_weight_times_its_step():
    weights, baseline = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, 1.0, 0.0])
    inputs = torch.tensor([[3.0, 2.0, 4.0], [1.0, 1.0, 0.0]])
    found = integrated_gradients(lambda x: x @ weights + 7, inputs, baseline, nodes=1)
    assert found.values.tolist() == [[4.0, -1.0, 2.0], [0.0, 0.0, 0.0]]
    assert found.gap.tolist() == [0.0, 0.0]


def test_a_product_is_shared_by_its_factors():
    """Of x·y from 0 the gradient along the path is (αy, αx): half of the product each."""
    found = integrated_gradients(
        lambda x: x.prod(dim=1), torch.tensor([[3.0, 4.0]]), torch.zeros(2), nodes=1
    )
    assert found.values.tolist() == [[6.0, 6.0]]


@pytest.mark.parametrize(("nodes", "exact"), [(3, True), (2, False)])
def test_polynomials_below_twice_the_nodes_are_exact(nodes, exact):
    """The gradient of x⁶ has degree 5."""
    inputs = torch.tensor([[2.0]], dtype=torch.float64)
    baseline = torch.tensor([-1.0], dtype=torch.float64)
    found = integrated_gradients(lambda x: x[:, 0] ** 6, inputs, baseline, nodes=nodes)
    assert (found.values.item() == pytest.approx(2**6 - 1, rel=1e-13)) == exact
    assert found.gap.item() == pytest.approx(found.values.item() - 63, abs=1e-12)


def network():
    torch.manual_seed(0)
    arguments = {"inputs": 5, "outputs": 2, "hidden": [16, 8], "activation": "tanh"}
    arguments |= {"dropout": 0.5, "norm": "batch", "init": "default"}
    return build("fnn", **arguments).double().eval().requires_grad_(False)


def test_attributions_of_a_network_sum_to_the_difference_it_made():
    model, inputs = network(), torch.randn(30, 5, dtype=torch.float64)
    baseline = inputs.mean(dim=0)
    found = integrated_gradients(lambda x: model(x)[:, 1], inputs, baseline, nodes=50)
    difference = model(inputs)[:, 1] - model(baseline[None])[:, 1]
    torch.testing.assert_close(found.values.sum(dim=1), difference, rtol=0, atol=1e-10)
    assert found.gap.abs().max() < 1e-10


def test_blocks_change_no_attribution(monkeypatch):
    model, inputs = network(), torch.randn(30, 5, dtype=torch.float64)
    whole, blocks = [], []
    for found, size in ((whole, 256), (blocks, 7)):
        monkeypatch.setattr(attributions, "_BLOCK", size)
        found += integrated_gradients(lambda x: model(x)[:, 0], inputs, inputs[0], nodes=9)
    for one, other in zip(whole, blocks, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    ("nodes", "width", "message"),
    [
        (0, 3, "attributions: nodes must be >= 1, got 0"),
        (
            1, 2,
            "attributions: inputs must be (N, F) and the baseline (F,), got (4, 3) and (2,)",
        ),
    ],
)  # fmt: skip
def test_unfit_arguments_are_named(nodes, width, message):
    with pytest.raises(ValueError, match="attributions") as error:
        integrated_gradients(
            lambda x: x.sum(dim=1), torch.zeros(4, 3), torch.zeros(width), nodes=nodes
        )
    assert str(error.value) == message
