"""The conditional GAN as a Lightning module: two optimisers in turn, whose steps are counted."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from plumbline import names
from plumbline.models.gan import (
    Discriminator,
    Generator,
    discriminator_loss,
    generator_loss,
    update_average,
)
from plumbline.params.models import GanParams
from plumbline.tasks.epoch_mean import EpochMean

DISCRIMINATOR_LOSS, GENERATOR_LOSS = "discriminator_loss", "generator_loss"
REAL_SCORE, FAKE_SCORE = "real_score", "fake_score"
LOGGED = (DISCRIMINATOR_LOSS, REAL_SCORE, FAKE_SCORE, GENERATOR_LOSS)


class StepCounts(NamedTuple):
    """Batches seen and updates made of each network."""

    batches: int
    discriminator_updates: int
    generator_updates: int


class AdversarialTask(LightningModule):
    """Train a discriminator on every batch, and a generator on every ``discriminator_updates``-th.

    Lightning's ``global_step`` counts the updates of both optimisers together, and ``max_steps``
    ends on that sum; `steps` counts batches and updates separately, in a buffer that checkpoints
    keep. Logs, every ``log_every`` batches, the mean of each loss and score since the last row;
    the trainer's ``log_every_n_steps`` must have the same value.

    Parameters
    ----------
    generator : Generator
    discriminator : Discriminator
    settings : GanParams
    """

    counts: Tensor

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        *,
        settings: GanParams,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = generator
        self.discriminator = discriminator
        self.average = copy.deepcopy(generator).requires_grad_(False)
        self._settings = settings
        self.means: Any = nn.ModuleDict({name: EpochMean() for name in LOGGED})
        self.register_buffer("counts", torch.zeros(len(StepCounts._fields), dtype=torch.long))

    @property
    def steps(self) -> StepCounts:
        """Batches seen and updates made."""
        return StepCounts(*self.counts.tolist())

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """Update the discriminator, and in every ``discriminator_updates``-th batch the generator.

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
        # Generated images have the classes of the real ones, so that the class tells nothing.
        latent = torch.randn(
            len(labels), self.generator.latent_dim, device=images.device, dtype=images.dtype
        )
        self.counts += self.counts.new_tensor([1, 0, 0])
        updates_generator = self.steps.batches % self._settings.discriminator_updates == 0
        with torch.set_grad_enabled(updates_generator):
            fakes = self.generator(latent, labels)
        values = self._update_discriminator(images, fakes.detach(), labels)
        if updates_generator:
            values[GENERATOR_LOSS] = self._update_generator(fakes, labels)
        return values

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Add the values of a batch, and log the means every ``log_every`` batches."""
        for name, value in outputs.items():
            self.means[name].update(value)
        if (batch_idx + 1) % self._settings.log_every == 0:
            self._log_means()

    def on_train_epoch_end(self) -> None:
        """Log the means of the batches after the last row."""
        if any(mean.totals for mean in self.means.values()):
            self._log_means()

    def _log_means(self) -> None:
        row: dict[str, Any] = {
            names.LEARNING_RATE: self._settings.lr_generator,
            "step": float(self.steps.batches),  # Lightning takes the step of the row from here
        }
        for name, mean in self.means.items():
            if mean.totals:  # the generator may not have been updated since the last row
                row[names.metric(names.TRAIN, name)] = mean.compute()
                mean.reset()
        self.log_dict(row, sync_dist=True)

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
        # The generator needs the discriminator's gradient by its input, not by its weights: leaving
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

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the means since the last row of the history."""
        checkpoint["means"] = {name: mean.checkpoint() for name, mean in self.means.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue the means since the last row of the history."""
        for name, state in checkpoint["means"].items():
            self.means[name].restore(state, self.device)
