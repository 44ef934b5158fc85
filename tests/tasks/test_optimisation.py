from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from plumbline.tasks.optimisation import (
    add_l1_gradient,
    configure,
    learning_rate_factor,
    parameter_groups,
)

SETTINGS = {
    "optimizer": "adamw",
    "lr": 0.5,
    "weight_decay": 0.1,
    "schedule": "cosine",
    "warmup_fraction": 0.2,
    "label_smoothing": 0.0,
    "beta2": 0.999,
}


def factors(total: int, warmup: int, schedule: str) -> list[float]:
    return [
        learning_rate_factor(step, total=total, warmup=warmup, schedule=schedule)
        for step in range(total + 1)
    ]


def test_warm_up_rises_linearly_and_reaches_the_full_rate_after_it():
    assert factors(10, 3, "constant")[:5] == [1 / 4, 2 / 4, 3 / 4, 1, 1]


def test_cosine_falls_to_half_in_the_middle_and_to_nothing_at_the_end():
    found = factors(10, 2, "cosine")
    assert found[2] == 1
    assert found[6] == pytest.approx(0.5)
    assert found[10] == pytest.approx(0)
    assert found[4] == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))


def test_without_warm_up_the_first_step_has_the_full_rate():
    assert factors(4, 0, "cosine")[0] == 1


def test_steps_beyond_the_end_keep_the_last_rate():
    assert learning_rate_factor(12, total=10, warmup=0, schedule="cosine") == pytest.approx(0)


def test_vectors_are_not_decayed_and_frozen_parameters_are_left_out():
    network = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.Linear(3, 1))
    network[2].weight.requires_grad_(False)
    groups = parameter_groups(network.named_parameters(), lr=0.1, weight_decay=0.5)
    sizes = {group["weight_decay"]: [tuple(p.shape) for p in group["params"]] for group in groups}
    assert sizes == {0.5: [(3, 2)], 0.0: [(3,), (3,), (3,), (1,)]}


def test_the_learning_rate_is_scaled_by_name():
    network = nn.Sequential(nn.Linear(2, 3, bias=False), nn.Linear(3, 1, bias=False))
    groups = parameter_groups(
        network.named_parameters(),
        lr=0.1,
        weight_decay=0,
        lr_scale=lambda name: 0.3 if name.startswith("0.") else 1.0,
    )
    assert [(group["lr"], len(group["params"])) for group in groups] == [
        (pytest.approx(0.03), 1),
        (0.1, 1),
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)],
)
def test_the_optimiser_is_the_one_named(name, kind):
    groups = [{"params": [nn.Parameter(torch.ones(2, 2))], "lr": 0.5, "weight_decay": 0.1}]
    found = configure(groups, SimpleNamespace(**{**SETTINGS, "optimizer": name}), total_steps=10)
    assert type(found["optimizer"]) is kind


def test_the_memory_of_squared_gradients_reaches_adam():
    groups = [{"params": [nn.Parameter(torch.zeros(1))]}]
    found = configure(groups, SimpleNamespace(**{**SETTINGS, "beta2": 0.9}), total_steps=10)
    assert found["optimizer"].param_groups[0]["betas"] == (0.9, 0.9)


def test_the_schedule_scales_every_group_and_moves_per_step():
    groups = [
        {"params": [nn.Parameter(torch.ones(1, 1))], "lr": rate, "weight_decay": 0.0}
        for rate in (0.5, 0.1)
    ]
    found = configure(groups, SimpleNamespace(**SETTINGS), total_steps=10)
    assert found["lr_scheduler"]["interval"] == "step"
    rates = []
    for _ in range(3):
        rates.append([group["lr"] for group in found["optimizer"].param_groups])
        found["optimizer"].step()
        found["lr_scheduler"]["scheduler"].step()
    # A warm-up of round(0.2 · 10) = 2 steps.
    assert rates[0] == pytest.approx([0.5 / 3, 0.1 / 3])
    assert rates[1] == pytest.approx([1 / 3, 0.2 / 3])
    assert rates[2] == pytest.approx([0.5, 0.1])


@pytest.mark.parametrize(
    ("schedule", "peer"),
    [
        ("step", lambda of: torch.optim.lr_scheduler.StepLR(of, step_size=10, gamma=0.1)),
        ("exponential", lambda of: torch.optim.lr_scheduler.ExponentialLR(of, 0.01 ** (1 / 30))),
        ("cosine", lambda of: torch.optim.lr_scheduler.CosineAnnealingLR(of, T_max=30)),
    ],
)
def test_schedules_are_those_of_torch(schedule, peer):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, expected = peer(optimizer), []
    for _ in range(30):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert factors(30, 0, schedule)[:30] == pytest.approx(expected)


def test_the_last_step_and_those_beyond_it_have_a_hundredth_of_the_rate():
    for step in (30, 31):
        for schedule in ("step", "exponential"):
            assert learning_rate_factor(
                step, total=30, warmup=3, schedule=schedule
            ) == pytest.approx(0.01)


def test_the_gradient_of_the_l1_penalty_is_that_of_the_sum_of_absolute_weights():
    def gradients(*, by_hand):
        torch.manual_seed(3)
        network = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
        with torch.no_grad():
            network[0].weight[0, 0] = 0
        network[1].bias.requires_grad_(False)
        loss = network(torch.ones(5, 4)).square().mean()
        if by_hand:
            loss = loss + 0.1 * sum(layer.weight.abs().sum() for layer in network)
        loss.backward()
        if not by_hand:
            add_l1_gradient(torch.optim.SGD(network.parameters(), lr=1.0), 0.1)
        return [value.grad for value in network.parameters() if value.grad is not None]

    for found, expected in zip(gradients(by_hand=False), gradients(by_hand=True), strict=True):
        torch.testing.assert_close(found, expected)


def test_no_l1_penalty_leaves_the_gradient_alone():
    weight = nn.Parameter(torch.ones(2, 2))
    weight.grad = torch.full((2, 2), 3.0)
    before = weight.grad
    add_l1_gradient(torch.optim.SGD([weight], lr=1.0), 0.0)
    assert weight.grad is before
    assert torch.equal(before, torch.full((2, 2), 3.0))
