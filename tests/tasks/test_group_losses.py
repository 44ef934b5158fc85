"""Losses and directions that know the groups, by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional

from plumbline.errors import TrainingError
from plumbline.tasks.classify import ClassifierTask
from plumbline.tasks.group_losses import (
    AdversarialMitigation,
    GroupDro,
    GroupPenalty,
    GroupTask,
    adversarial_mitigation,
    exponentiated_gradient,
    group_penalty,
)
from tests.tasks.test_classify import SETTINGS

LN2 = math.log(2)


def cells(target, group):
    return 2 * torch.tensor(group) + torch.tensor(target)


def test_the_gap_of_logits_by_hand():
    """Class 1: means 1 and 3 around 2. Class 0: means -1 (of two rows) and 2 around 0."""
    logit = torch.tensor([1.0, 3.0, -1.0, -1.0, 2.0])
    target, group = torch.tensor([1, 1, 0, 0, 0]), torch.tensor([0, 1, 0, 0, 1])
    assert group_penalty(logit, target, group).item() == pytest.approx((1 + 1) + (1 + 4))


def test_a_class_that_one_group_alone_has_adds_no_gap():
    assert group_penalty(torch.tensor([5.0, 7.0]), torch.tensor([0, 0]), torch.tensor([1, 1])) == 0


def test_a_cells_weight_grows_by_the_exponential_of_its_loss():
    """Halves with losses ln 2 and 0: 1/2 · 2 and 1/2 · 1, over 3/2."""
    found = exponentiated_gradient(torch.tensor([0.5, 0.5]), torch.tensor([LN2, 0.0]), step=1.0)
    torch.testing.assert_close(found, torch.tensor([2 / 3, 1 / 3]))
    still = exponentiated_gradient(torch.tensor([0.25, 0.75]), torch.tensor([3.0, 0.0]), step=0.0)
    torch.testing.assert_close(still, torch.tensor([0.25, 0.75]))


def test_the_direction_leaves_out_what_helps_the_adversary_by_hand():
    """(3, 4) without its part along (2, 0) is (0, 4); then half of (2, 0) is taken off."""
    own, other = ([torch.tensor([value]) for value in pair] for pair in ((3.0, 4.0), (2.0, 0.0)))
    first, second = adversarial_mitigation(own, other, weight=0.5)
    assert (first.item(), second.item()) == (-1.0, 4.0)


def test_an_adversary_that_has_no_gradient_changes_nothing():
    own, none = [torch.tensor([1.0, 2.0])], [torch.zeros(2)]
    assert adversarial_mitigation(own, none, weight=3.0)[0].tolist() == [1.0, 2.0]


def test_the_regulariser_adds_its_weight_times_the_gap():
    outputs = torch.tensor([[0.0, 1.0], [0.0, 3.0], [0.0, -1.0]])
    targets = cells([1, 1, 0], [0, 1, 0])
    task = GroupPenalty(nn.Identity(), settings=SETTINGS, weight=0.25)
    for training in (True, False):
        plain = ClassifierTask(nn.Identity(), settings=SETTINGS).loss(
            outputs, targets % 2, training=training
        )
        found = task.loss(outputs, targets, training=training)
        assert found.item() == pytest.approx(plain.item() + 0.25 * 2)


def dro(step):
    shares = torch.tensor([0.0, 0.5, 0.0, 0.5])
    return GroupDro(nn.Identity(), settings=PLAIN, classes=2, shares=shares, step=step)


PLAIN = SimpleNamespace(**{**vars(SETTINGS), "label_smoothing": 0.0})
# Two rows of class 1, one a group: chances 1/2 and 1/4, losses ln 2 and 2 ln 2.
OUTPUTS = torch.tensor([[0.0, 0.0], [math.log(3.0), 0.0]])
TARGETS = cells([1, 1], [0, 1])


def test_group_dro_weighs_a_row_by_the_raised_weight_of_its_cell():
    """Weights become 1/2 · 2 and 1/2 · 4, so 1/3 and 2/3; the loss is their mean of the losses."""
    task = dro(1.0)
    found = task.loss(OUTPUTS, TARGETS, training=True)
    torch.testing.assert_close(task.cell_weights, torch.tensor([0, 1 / 3, 0, 2 / 3]))
    assert found.item() == pytest.approx(LN2 / 3 + 2 * LN2 * 2 / 3)


def test_group_dro_is_validated_by_its_worst_cell_and_weighs_nothing_there():
    task = dro(1.0)
    assert task.loss(OUTPUTS, TARGETS, training=False).item() == pytest.approx(2 * LN2)
    assert task.cell_weights.tolist() == [0, 0.5, 0, 0.5]
    weighted = task.cell_means(OUTPUTS, cells([1, 1], [0, 0]), torch.tensor([3.0, 1.0]))
    assert weighted[1].item() == pytest.approx((3 * LN2 + 2 * LN2) / 4)


def test_the_direction_left_in_the_gradients_is_that_of_both_losses():
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    task = AdversarialMitigation(network, settings=PLAIN, groups=2, weight=0.7, adversary_lr=0.1)
    task.adversary += torch.randn(4, 2)
    before = task.adversary.clone()
    inputs, targets = torch.randn(8, 3), torch.arange(8) % 4
    loss = task.loss(network(inputs), targets, training=True)
    task.backward(loss)

    parameters = [network.weight, network.bias]
    outputs = network(inputs)
    z, y = outputs[:, 1] - outputs[:, 0], (targets % 2).float()
    seen = torch.stack([torch.ones(8), z, y, z * y], dim=1)
    reader = before.requires_grad_()
    against = functional.cross_entropy(seen @ reader, targets // 2)
    *other, reading = torch.autograd.grad(against, [*parameters, reader], retain_graph=True)
    own = torch.autograd.grad(functional.cross_entropy(outputs, targets % 2), parameters)
    wanted = adversarial_mitigation(own, other, weight=0.7)
    for parameter, direction in zip(parameters, wanted, strict=True):
        torch.testing.assert_close(parameter.grad, direction)
    torch.testing.assert_close(task.adversary, before.detach() - 0.1 * reading)


def test_groups_do_not_touch_the_metrics():
    torch.manual_seed(0)
    outputs, targets = torch.randn(40, 2), torch.arange(40) % 6
    found = GroupTask(nn.Identity(), settings=PLAIN, classes=2).validation_metrics(outputs, targets)
    wanted = ClassifierTask(nn.Identity(), settings=PLAIN).validation_metrics(outputs, targets % 2)
    assert found == wanted


@pytest.mark.parametrize(
    ("task", "what"),
    [
        (dro(0.1), "group DRO"),
        (
            AdversarialMitigation(
                nn.Identity(), settings=PLAIN, groups=2, weight=1.0, adversary_lr=0.1
            ),
            "adversarial debiasing",
        ),
    ],
)
def test_schemes_with_a_state_of_their_own_refuse_several_processes(task, what):
    task._trainer = SimpleNamespace(world_size=2)
    with pytest.raises(TrainingError) as caught:
        task.on_fit_start()
    assert str(caught.value) == (
        f"{what}: the fit must run in one process, got 2; set trainer.devices and "
        "trainer.num_nodes to 1"
    )


def test_the_adversary_refuses_updates_from_several_batches():
    task = AdversarialMitigation(
        nn.Identity(), settings=PLAIN, groups=2, weight=1.0, adversary_lr=0.1
    )
    task._trainer = SimpleNamespace(world_size=1, accumulate_grad_batches=4)
    with pytest.raises(TrainingError) as caught:
        task.on_fit_start()
    assert str(caught.value) == (
        "adversarial debiasing: optimisation.accumulate must be 1, got 4; enlarge the batch instead"
    )
