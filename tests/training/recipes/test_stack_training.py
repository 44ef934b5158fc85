"""Training of a stack against a plain loop over each network."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from plumbline.models.stacked import StackedNetworks
from plumbline.training.data_modules.examples import Examples
from plumbline.training.engine.callbacks import epoch_seed
from plumbline.training.engine.loaders import MemoryBatches
from plumbline.training.recipes.stack_training import StackPlan, cross_entropy, train_epochs

SEEDS, EPOCHS, BATCH = (5, 3, 8), 4, 6


def networks(count: int = len(SEEDS)):
    torch.manual_seed(0)
    return [
        nn.Sequential(
            nn.Linear(4, 8, bias=False),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(8, 3),
        )
        for _ in range(count)
    ]


def examples(*, shared: bool, weighted: bool = False):
    generator = torch.Generator().manual_seed(7)
    many = () if shared else (len(SEEDS),)
    weights = torch.rand(*many, 20, generator=generator) if weighted else None
    return Examples(
        torch.randn(*many, 20, 4, generator=generator),
        torch.randint(3, (*many, 20), generator=generator),
        weights,
    )


def alone(network, seed, inputs, targets, *, make, schedule=None, clip=None, smoothing=0.0):
    optimizer = make(network.parameters())
    scheduler = schedule(optimizer) if schedule else None
    batches = MemoryBatches(inputs, targets, batch_size=BATCH, shuffle=True, seed=seed)
    for epoch in range(EPOCHS):
        network.train()
        torch.manual_seed(epoch_seed(seed, epoch))
        batches.set_epoch(epoch)
        for x, y in batches:
            optimizer.zero_grad()
            functional.cross_entropy(network(x), y, label_smoothing=smoothing).backward()
            if clip:
                clip(network.parameters())
            optimizer.step()
            if scheduler:
                scheduler.step()
    return network.eval()


OPTIMISERS = {
    "sgd": partial(torch.optim.SGD, lr=0.3),
    "momentum": partial(torch.optim.SGD, lr=0.1, momentum=0.9),
    "nesterov": partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "rmsprop": partial(torch.optim.RMSprop, lr=0.01),
    "adam": partial(torch.optim.Adam, lr=0.03),
    "adamw": partial(torch.optim.AdamW, lr=0.03, weight_decay=0.3),
}
SCHEDULES = {
    "step": partial(torch.optim.lr_scheduler.StepLR, step_size=3, gamma=0.5),
    "exponential": partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.8),
    "cosine": partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=16),
}
CLIPS = {
    "clip_norm": lambda p: nn.utils.clip_grad_norm_(p, 0.2),
    "clip_value": lambda p: nn.utils.clip_grad_value_(p, 0.02),
}


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(
    ("optimiser", "schedule", "clip", "smoothing"),
    [
        *((name, None, None, 0.0) for name in OPTIMISERS),
        *(("momentum", name, None, 0.0) for name in SCHEDULES),
        *(("sgd", None, name, 0.2) for name in CLIPS),
    ],
)
def test_each_network_comes_to_what_it_comes_to_alone(shared, optimiser, schedule, clip, smoothing):
    data, make = examples(shared=shared), OPTIMISERS[optimiser]
    stack = StackedNetworks(networks())
    optimizer = make(stack.parameters())
    plan = StackPlan(
        optimizer=optimizer,
        losses=partial(cross_entropy, smoothing=smoothing),
        batch_size=BATCH,
        epochs=EPOCHS,
        scheduler=SCHEDULES[schedule](optimizer) if schedule else None,
        **({clip: {"clip_norm": 0.2, "clip_value": 0.02}[clip]} if clip else {}),
    )
    ends = list(train_epochs(stack, data, plan, seeds=SEEDS))
    assert [losses.shape for losses in ends] == [(len(SEEDS),)] * EPOCHS
    assert not stack.training
    for member, (network, seed) in enumerate(zip(networks(), SEEDS, strict=True)):
        start = network[0].weight.clone()
        mine = (part if shared else part[member] for part in (data.inputs, data.targets))
        fitted = alone(
            network,
            seed,
            *mine,
            make=make,
            schedule=SCHEDULES.get(schedule),
            clip=CLIPS.get(clip),
            smoothing=smoothing,
        )
        found = stack.member(member)
        for name, value in fitted.state_dict().items():
            torch.testing.assert_close(found[name], value, rtol=1e-5, atol=2e-6, msg=name)
        assert not torch.allclose(start, found["0.weight"], atol=1e-3)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_each_network_may_have_a_learning_rate_of_its_own(optimiser):
    data, make, factors = examples(shared=True), OPTIMISERS[optimiser], (1.0, 0.1, 2.5)
    stack = StackedNetworks(networks())
    plan = StackPlan(
        optimizer=make(stack.parameters()), losses=cross_entropy, batch_size=BATCH, epochs=EPOCHS,
        rate_factors=torch.tensor(factors),
    )  # fmt: skip
    for _ in train_epochs(stack, data, plan, seeds=SEEDS):
        pass
    for member, (network, factor) in enumerate(zip(networks(), factors, strict=True)):
        own = partial(make, lr=factor * make.keywords["lr"])
        fitted = alone(network, SEEDS[member], data.inputs, data.targets, make=own)
        found = stack.member(member)
        for name, value in fitted.state_dict().items():
            torch.testing.assert_close(found[name], value, rtol=1e-5, atol=2e-6, msg=name)


def test_weighted_rows_count_by_their_weight():
    data = examples(shared=False, weighted=True)
    outputs = torch.randn(3, 20, 3)
    found = cross_entropy(outputs, data.targets, data.weights, smoothing=0.1)
    for member in range(3):
        rows = functional.cross_entropy(
            outputs[member], data.targets[member], label_smoothing=0.1, reduction="none"
        )
        assert float(found[member]) == pytest.approx(float((rows * data.weights[member]).mean()))


def test_a_network_that_diverges_leaves_the_others_as_they_are():
    def train(spoiled: bool):
        alone = networks()
        if spoiled:
            nn.init.constant_(alone[1][0].weight, torch.inf)
        stack = StackedNetworks(alone)
        plan = StackPlan(
            optimizer=torch.optim.Adam(stack.parameters(), lr=0.01), losses=cross_entropy,
            batch_size=BATCH, epochs=2, clip_norm=1.0,
        )  # fmt: skip
        *_, losses = train_epochs(stack, examples(shared=True), plan, seeds=SEEDS)
        return stack, losses

    (sound, _), (other, losses) = train(False), train(True)
    assert losses.isfinite().tolist() == [True, False, True]
    for member in (0, 2):
        expected = sound.member(member)
        assert all(torch.equal(v, expected[k]) for k, v in other.member(member).items())


def test_whoever_iterates_ends_the_training_and_finds_the_last_gradients():
    stack = StackedNetworks(networks())
    before = stack.member(0)["0.weight"]
    plan = StackPlan(
        optimizer=torch.optim.SGD(stack.parameters(), lr=0.1), losses=cross_entropy,
        batch_size=20, epochs=100,
    )  # fmt: skip
    next(iter(train_epochs(stack, examples(shared=True), plan, seeds=SEEDS)))
    weight = dict(stack.network.named_parameters())["0.weight"]
    torch.testing.assert_close(weight[0], before - 0.1 * weight.grad[0])


def test_a_transform_changes_the_batches_before_the_networks_see_them():
    data, seen = examples(shared=True), []

    def transform(inputs, targets):
        seen.append(inputs.shape)
        return torch.zeros_like(inputs), torch.zeros_like(targets)

    stack = StackedNetworks(networks())
    plan = StackPlan(
        optimizer=torch.optim.SGD(stack.parameters(), lr=0.5), losses=cross_entropy,
        batch_size=10, epochs=30, transform=transform,
    )  # fmt: skip
    for _ in train_epochs(stack, data, plan, seeds=SEEDS):
        pass
    assert seen == [(3, 10, 4)] * 60
    found = stack(torch.zeros(1, 5, 4)).argmax(2)
    assert (found == 0).all()
