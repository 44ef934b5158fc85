"""The adversarial task against a loop like that of PyTorch's DCGAN tutorial, same networks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from gpu_clock import Given
from torch import Tensor, nn

from plumbline.compat import torchvision
from plumbline.models.gan import Discriminator, Generator
from plumbline.tasks.adversarial import DISCRIMINATOR_LOSS, GENERATOR_LOSS, AdversarialTask
from plumbline.training.engine import factory

import measure
from measure import Row, faster, take_turns

torchvision.install()

REST = (
    "In processor time leaving the discriminator's weights out of the generator's step gives 7 to "
    "9 %, channels last 11, fused Adam 2; three quarters of a step are convolutions, the same on "
    "both sides. A bare loop of ours without Lightning is 1 to 3 % faster, the averaged generator "
    "takes 0.2 of some 66 ms."
)
BATCH, CLASSES, LATENT = 64, 10, 100
Losses = list[tuple[float, float]]


@dataclass(frozen=True)
class Settings:
    """The tutorial's, of both sides."""

    loss: str = "non_saturating"
    ema_decay: float = 0.99
    discriminator_updates: int = 1
    lr_generator: float = 2e-4
    lr_discriminator: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    log_every: int = 1_000_000


class Batches:
    """Batches that were drawn before; Lightning takes a list for several loaders."""

    def __init__(self, drawn: list[tuple[Tensor, Tensor]]) -> None:
        self._drawn = drawn

    def __len__(self) -> int:
        return len(self._drawn)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter(self._drawn)


class Noted(AdversarialTask):
    """Keeps the losses of every step."""

    def on_fit_start(self) -> None:
        """Begin anew."""
        self.noted: list[dict[str, Tensor]] = []

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """Do as the task does, and note what it says."""
        values = super().training_step(batch, batch_idx)
        self.noted.append(values)
        return values


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    for width, steps in ((32, 32), (64, 12)):
        check(width)
        batches = draw(steps, torch.float32)
        times = take_turns(
            lambda w=width, b=batches: ours(w, b, torch.float32),
            lambda w=width, b=batches: tutorial(w, b, torch.float32),
            turns=3,
        )
        yield faster(
            14, "DCGAN, 32 px", f"width {width}, batch {BATCH}", "loop of the tutorial", times,
            goal=1.15, why=REST,
            note="with Lightning and the averaged generator, which the peer has not; losses of "
            "5 steps equal to 1e-6 in double precision; 1 thread each",
        )  # fmt: skip


def check(width: int) -> None:
    """Compare in double precision: single precision's roundings grow within some steps."""
    batches = draw(5, torch.float64)
    for mine, theirs in zip(
        ours(width, batches, torch.float64), tutorial(width, batches, torch.float64), strict=True
    ):
        assert abs(mine[0] - theirs[0]) < 1e-6
        assert abs(mine[1] - theirs[1]) < 1e-6


def draw(steps: int, dtype: torch.dtype) -> Batches:
    generator = torch.Generator().manual_seed(0)
    return Batches(
        [
            (
                torch.rand(BATCH, 3, 32, 32, generator=generator, dtype=dtype) * 2 - 1,
                torch.randint(CLASSES, (BATCH,), generator=generator),
            )
            for _ in range(steps)
        ]
    )


def networks(width: int, dtype: torch.dtype) -> tuple[Generator, Discriminator]:
    torch.manual_seed(0)
    shape = {"image_size": 32, "channels": 3, "classes": CLASSES, "base_channels": width}
    return (
        Generator(latent_dim=LATENT, **shape).to(dtype),
        Discriminator(spectral_norm=False, **shape).to(dtype),
    )


def ours(width: int, batches: Batches, dtype: torch.dtype) -> Losses:
    task = Noted(*networks(width, dtype), settings=Settings())
    task.to(memory_format=torch.channels_last)  # as `training.adversarial` does
    with tempfile.TemporaryDirectory() as folder:
        trainer = factory.Trainer(
            accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder,
        )  # fmt: skip
        torch.manual_seed(1)
        factory.fit(trainer, task, Given(batches))
    return [(float(v[DISCRIMINATOR_LOSS]), float(v[GENERATOR_LOSS])) for v in task.noted]


def tutorial(width: int, batches: Batches, dtype: torch.dtype) -> Losses:
    """Train as the tutorial does: two backward passes for the discriminator, all gradients kept."""
    generator, discriminator = networks(width, dtype)
    settings, criterion = Settings(), nn.BCEWithLogitsLoss()
    betas = (settings.beta1, settings.beta2)
    of_g = torch.optim.Adam(generator.parameters(), lr=settings.lr_generator, betas=betas)
    of_d = torch.optim.Adam(discriminator.parameters(), lr=settings.lr_discriminator, betas=betas)
    real, fake = torch.ones(BATCH, dtype=dtype), torch.zeros(BATCH, dtype=dtype)
    losses: Losses = []
    torch.manual_seed(1)
    for images, labels in batches:
        discriminator.zero_grad()
        loss_real = criterion(discriminator(images, labels), real)
        loss_real.backward()
        fakes = generator(torch.randn(BATCH, LATENT, dtype=dtype), labels)
        loss_fake = criterion(discriminator(fakes.detach(), labels), fake)
        loss_fake.backward()
        of_d.step()
        generator.zero_grad()
        loss = criterion(discriminator(fakes, labels), real)
        loss.backward()
        of_g.step()
        losses.append((loss_real.item() + loss_fake.item(), loss.item()))
    return losses


if __name__ == "__main__":
    measure.main(rows, __doc__)
