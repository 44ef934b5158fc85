"""Bytes that autograd keeps, against sums by hand, and checkpoints that change no gradient."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from plumbline.studies.feedforward.deep import saved_tensors

ROWS, WIDTH = 16, 8
FLOATS = ROWS * WIDTH * 4  # bytes of the outputs of a layer


def chain(layers):
    torch.manual_seed(1)
    parts = [part for _ in range(layers) for part in (nn.Linear(WIDTH, WIDTH), nn.Tanh())]
    return nn.Sequential(*parts)


def inputs():
    return torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("layers", [1, 4, 9])
def test_a_chain_keeps_its_inputs_and_the_output_of_each_tanh(layers):
    """The inputs, an output of tanh for each layer, and the loss's own: the last output again."""
    cost = saved_tensors.measure(chain(layers), inputs(), segments=0)
    assert cost.peak_bytes == (layers + 1) * FLOATS
    assert cost.layer_runs == layers


@pytest.mark.parametrize("segments", [2, 3, 6])
def test_checkpoints_keep_less_run_at_most_twice_and_change_no_gradient(segments):
    plain, checked = chain(12), chain(12)
    without = saved_tensors.measure(plain, inputs(), segments=0)
    found = saved_tensors.measure(checked, inputs(), segments=segments)
    for one, other in zip(plain.parameters(), checked.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)
    assert found.peak_bytes < without.peak_bytes
    assert found.layer_runs == 12 + 12 * (segments - 1) // segments  # the last one runs once
    again = saved_tensors.measure(chain(12), inputs(), segments=segments)
    assert again == found


def test_the_best_number_of_segments_is_the_root():
    assert [saved_tensors.best_segments(depth) for depth in (1, 4, 9, 64, 100)] == [1, 2, 3, 8, 10]
