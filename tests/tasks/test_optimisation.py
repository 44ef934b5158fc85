from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from plumbline.tasks.optimisation import configure, learning_rate_factor, parameter_groups

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
