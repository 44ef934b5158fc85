"""Pruning: torch's own masks, which training after it keeps."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from plumbline import models
from plumbline.tasks.classify import ClassifierTask
from plumbline.training.data_modules.examples import Examples
from plumbline.training.recipes.pruning import KeepZeros, prune, validation_loss


def network():
    torch.manual_seed(2)
    return models.build(
        "cnn", image_size=8, image_channels=1, channels=[4], feature_dim=6, outputs=3,
        dropout=0.0, mean=[0.0], scale=[1.0],
    )  # fmt: skip


def test_pruned_weights_are_those_that_torch_prunes():
    found, expected = network(), network()
    counts = prune(found, 0.7)
    for module in expected.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            torch_prune.l1_unstructured(module, "weight", amount=0.7)
            torch_prune.remove(module, "weight")
    state = expected.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in found.state_dict().items())
    sizes = [4 * 9, 6 * 4 * 16, 3 * 6]
    assert counts == {"weights": sum(sizes), "zeros": sum(round(0.7 * size) for size in sizes)}


def test_frozen_weights_stay():
    found = network()
    found.head.weight.requires_grad_(False)
    before = found.head.weight.clone()
    prune(found, 0.5)
    assert torch.equal(found.head.weight, before)


def test_the_validation_loss_is_that_of_all_rows_in_evaluation(optimisation):
    task = ClassifierTask(network().train(), settings=optimisation())
    images, targets = torch.randint(0, 256, (700, 1, 8, 8)), torch.arange(700) % 3
    found = validation_loss(task, Examples(images, targets))
    assert task.network.training
    with torch.no_grad():
        expected = nn.functional.cross_entropy(task.network.eval()(images), targets)
    assert found == pytest.approx(float(expected), rel=1e-5)


def test_zeros_are_kept_and_no_other_weight_is_changed():
    found = network()
    prune(found, 0.5)
    keep = KeepZeros(found)
    zeros = found.head.weight == 0
    with torch.no_grad():
        found.head.weight += 1
        found.head.bias += 1
    before = {name: value.clone() for name, value in found.state_dict().items()}
    keep.on_train_batch_end()
    assert torch.equal(found.head.weight == 0, zeros)
    assert torch.equal(found.head.weight[~zeros], before["head.weight"][~zeros])
    assert torch.equal(found.head.bias, before["head.bias"])
    assert torch.equal(found.blocks[0].weight, before["blocks.0.weight"])
