"""The adversarial task: its step counts, its two updates, its averaged generator."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from plumbline.models.gan import Discriminator, Generator, generator_loss
from plumbline.tasks.adversarial import AdversarialTask, StepCounts
from plumbline.training.data_modules.examples import Examples
from plumbline.training.data_modules.gan_images import StepBatches
from plumbline.training.engine import factory
from tests.training.loaders import TrainingLoader


@dataclass(frozen=True)
class Settings:
    loss: str = "non_saturating"
    ema_decay: float = 0.5
    discriminator_updates: int = 1
    log_every: int = 5
    lr_generator: float = 1e-3
    lr_discriminator: float = 2e-3
    beta1: float = 0.5
    beta2: float = 0.99


def task(settings: Settings | None = None) -> AdversarialTask:
    torch.manual_seed(0)
    shape = {"image_size": 8, "channels": 1, "classes": 2, "base_channels": 2}
    return AdversarialTask(
        Generator(latent_dim=3, **shape),
        Discriminator(spectral_norm=True, **shape),
        settings=settings or Settings(),
    )


def fit(
    module: AdversarialTask, folder: Path, *, batches: int, max_steps: int = -1
) -> factory.Trainer:
    images = torch.randint(0, 256, (8, 1, 8, 8), dtype=torch.uint8)
    examples = Examples(images, torch.arange(8) % 2)
    data = StepBatches(examples, batch_size=4, steps=batches, seed=0)
    trainer = factory.Trainer(
        accelerator="cpu",
        max_epochs=1,
        max_steps=max_steps,
        log_every_n_steps=module._settings.log_every,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    factory.fit(trainer, module, TrainingLoader(data))
    return trainer


def test_updates_of_both_networks_are_counted_apart(tmp_path: Path) -> None:
    module = task(replace(Settings(), discriminator_updates=3))
    trainer = fit(module, tmp_path, batches=10)
    assert module.steps == StepCounts(batches=10, discriminator_updates=10, generator_updates=3)
    assert trainer.global_step == 13  # the sum of both, which is neither


def test_lightnings_max_steps_would_end_after_half_the_batches(tmp_path: Path) -> None:
    module = task()
    fit(module, tmp_path, batches=10, max_steps=10)
    assert module.steps == StepCounts(batches=5, discriminator_updates=5, generator_updates=5)


def test_the_step_counts_are_part_of_the_state(tmp_path: Path) -> None:
    module = task()
    fit(module, tmp_path, batches=2)
    twin = task()
    twin.load_state_dict(module.state_dict())
    assert twin.steps == StepCounts(2, 2, 2)


def test_the_discriminators_turn_leaves_the_generator_as_it_is(tmp_path: Path) -> None:
    module = task(replace(Settings(), discriminator_updates=2))
    before = copy.deepcopy(dict(module.named_parameters()))
    fit(module, tmp_path, batches=1)
    for name, parameter in module.named_parameters():
        moved = not torch.equal(parameter, before[name])
        assert moved == name.startswith("discriminator."), name


def test_gradients_of_the_generator_are_those_with_the_discriminator_not_frozen(
    tmp_path: Path,
) -> None:
    # One batch and plain gradients: repeat the step by hand with every gradient kept.
    module = task(replace(Settings(), lr_discriminator=1e-30))
    labels, latent = torch.tensor([0, 1, 0, 1]), torch.randn(4, 3)
    fakes = module.generator(latent, labels)
    module.discriminator.eval()  # no power iteration, so that both ways see the same weights
    loss = generator_loss(module.discriminator(fakes, labels), kind="non_saturating")
    loss.backward(retain_graph=True)
    expected = [parameter.grad.clone() for parameter in module.generator.parameters()]
    module.generator.zero_grad()
    module.discriminator.requires_grad_(False)
    generator_loss(module.discriminator(fakes, labels), kind="non_saturating").backward()
    for parameter, gradient in zip(module.generator.parameters(), expected, strict=True):
        assert torch.equal(parameter.grad, gradient)


def test_every_network_may_learn_again_after_a_step(tmp_path: Path) -> None:
    module = task()
    fit(module, tmp_path, batches=1)
    assert all(parameter.requires_grad for parameter in module.discriminator.parameters())
    assert not any(parameter.requires_grad for parameter in module.average.parameters())


def test_the_average_follows_the_generator_with_its_decay(tmp_path: Path) -> None:
    module = task()
    before = copy.deepcopy(module.generator.state_dict())
    fit(module, tmp_path, batches=1)
    after, average = module.generator.state_dict(), module.average.state_dict()
    for name, value in average.items():
        expected = (
            0.5 * before[name] + 0.5 * after[name] if value.is_floating_point() else after[name]
        )
        torch.testing.assert_close(value, expected)


@pytest.mark.parametrize("loss", ["non_saturating", "hinge"])
def test_a_step_reports_losses_and_scores(tmp_path: Path, loss: str) -> None:
    module = task(replace(Settings(), loss=loss))
    seen = []
    step = module.training_step
    module.training_step = lambda batch, batch_idx: seen.append(step(batch, batch_idx)) or seen[-1]
    fit(module, tmp_path, batches=1)
    assert set(seen[0]) == {"discriminator_loss", "generator_loss", "real_score", "fake_score"}
    assert not any(value.requires_grad for value in seen[0].values())
