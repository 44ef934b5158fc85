"""The conditional GAN as a Lightning module: two optimisers in turn, counted one by one."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple, Protocol

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from plumbline.models.gan import (
    Discriminator,
    Generator,
    discriminator_loss,
    generator_loss,
    update_average,
)

DISCRIMINATOR_LOSS, GENERATOR_LOSS = "discriminator_loss", "generator_loss"
REAL_SCORE, FAKE_SCORE = "real_score", "fake_score"


class AdversarialSettings(Protocol):
    """What the task reads of its parameters."""

    @property
    def loss(self) -> str:
        """One of `plumbline.models.gan.LOSSES`."""
        ...

    @property
    def ema_decay(self) -> float:
        """Decay of the averaged generator."""
        ...

    @property
    def discriminator_updates(self) -> int:
        """Updates of the discriminator for each one of the generator."""
        ...

    @property
    def lr_generator(self) -> float:
        """Learning rate of the generator."""
        ...

    @property
    def lr_discriminator(self) -> float:
        """Learning rate of the discriminator."""
        ...

    @property
    def beta1(self) -> float:
        """First moment's decay of Adam."""
        ...

    @property
    def beta2(self) -> float:
        """Second moment's decay of Adam."""
        ...


class Ledger(NamedTuple):
    """What has been done so far, each counted on its own."""

    batches: int
    discriminator_updates: int
    generator_updates: int


class AdversarialTask(LightningModule):
    """Train a discriminator on every batch, and a generator on every ``discriminator_updates``-th.

    Lightning's ``global_step`` counts the updates of both optimisers together, and ``max_steps``
    ends on that sum; `ledger` counts batches and updates apart, in a buffer kept by checkpoints.

    Parameters
    ----------
    generator : Generator
    discriminator : Discriminator
    settings : AdversarialSettings
    """

    counts: Tensor

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        *,
        settings: AdversarialSettings,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = generator
        self.discriminator = discriminator
        self.average = copy.deepcopy(generator).requires_grad_(False)
        self._settings = settings
        self.register_buffer("counts", torch.zeros(len(Ledger._fields), dtype=torch.long))

    @property
    def ledger(self) -> Ledger:
        """Batches seen and updates made."""
        return Ledger(*self.counts.tolist())

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """Update the discriminator, then in its turn the generator.

        Parameters
        ----------
        batch : (Tensor, Tensor)
            Images ``(N, C, S, S)`` in [-1, 1] and class codes ``(N,)``.
        batch_idx : int

        Returns
        -------
        dict
            ``discriminator_loss, generator_loss, real_score, fake_score`` (mean logits), detached;
            the generator's is missing from batches at which only the discriminator was updated.
        """
        images, labels = batch
        # Samples of the batch's own classes: the two heaps differ in nothing but being real.
        latent = torch.randn(
            len(labels), self.generator.latent_dim, device=images.device, dtype=images.dtype
        )
        self.counts += self.counts.new_tensor([1, 0, 0])
        turn = self.ledger.batches % self._settings.discriminator_updates == 0
        with torch.set_grad_enabled(turn):
            fakes = self.generator(latent, labels)
        values = self._update_discriminator(images, fakes.detach(), labels)
        if turn:
            values[GENERATOR_LOSS] = self._update_generator(fakes, labels)
        return values

    def _update_discriminator(
        self, images: Tensor, fakes: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        real, fake = self.discriminator(images, labels), self.discriminator(fakes, labels)
        loss = discriminator_loss(real, fake, kind=self._settings.loss)
        self._step(1, loss)
        self.counts += self.counts.new_tensor([0, 1, 0])
        return {
            DISCRIMINATOR_LOSS: loss.detach(),
            REAL_SCORE: real.detach().mean(),
            FAKE_SCORE: fake.detach().mean(),
        }

    def _update_generator(self, fakes: Tensor, labels: Tensor) -> Tensor:
        # The generator needs the discriminator's gradient at its input, not at its weights: leaving
        # those out changes no number and saves a third of the backward pass.
        self.discriminator.requires_grad_(False)
        loss = generator_loss(self.discriminator(fakes, labels), kind=self._settings.loss)
        self._step(0, loss)
        self.discriminator.requires_grad_(True)
        update_average(self.average, self.generator, decay=self._settings.ema_decay)
        self.counts += self.counts.new_tensor([0, 0, 1])
        return loss.detach()

    def _step(self, index: int, loss: Tensor) -> None:
        optimizers: Any = self.optimizers()
        optimizers[index].zero_grad()
        self.manual_backward(loss)
        optimizers[index].step()

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Return the optimisers of generator and discriminator, in this order."""
        settings = self._settings
        betas = (settings.beta1, settings.beta2)
        fused = self.trainer.precision != "16-mixed"

        def adam(network: nn.Module, lr: float) -> torch.optim.Optimizer:
            return torch.optim.Adam(network.parameters(), lr=lr, betas=betas, fused=fused)

        return [
            adam(self.generator, settings.lr_generator),
            adam(self.discriminator, settings.lr_discriminator),
        ]
