"""Pruning: torch's own masks, and facts that say what it costs."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from plumbline import models
from plumbline.tasks.classify import ClassifierTask
from plumbline.training.data_modules.examples import Examples
from plumbline.training.recipes.pruning import prune, prune_fitted


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


def test_facts_have_the_loss_before_and_after(optimisation):
    before = network().eval()
    task = ClassifierTask(copy.deepcopy(before).train(), settings=optimisation())
    images, targets = torch.randint(0, 256, (700, 1, 8, 8)), torch.arange(700) % 3
    facts = prune_fitted(task, Examples(images, targets), 0.9)

    def loss(of: nn.Module) -> float:
        return float(nn.functional.cross_entropy(of(images), targets).detach())

    assert task.network.training
    assert facts["val_loss_before"] == pytest.approx(loss(before), rel=1e-5)
    assert facts["val_loss"] == pytest.approx(loss(task.network.eval()), rel=1e-5)
    assert facts["val_loss"] != pytest.approx(facts["val_loss_before"], rel=1e-3)
    assert facts["share"] == 0.9
