"""The character model as a Lightning module: truncated back-propagation through time.

Batches are `plumbline.models.streams.Chunk`: the hidden state of every stream is carried from one
chunk to the next, cut from the graph, and zeroed where a document starts ("An efficient
gradient-based algorithm for on-line training of recurrent network trajectories", Williams and
Peng 1990).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from plumbline import names
from plumbline.models.language import LanguageNetwork, State, carry
from plumbline.models.streams import PADDING, Chunk
from plumbline.params.models import Optimisation
from plumbline.tasks.epoch_mean import EpochMean
from plumbline.tasks.optimisation import add_l1_gradient, configure, parameter_groups


class Reader:
    """A pass over parallel streams: the hidden state that is carried from chunk to chunk."""

    def __init__(self) -> None:
        self.state: State | None = None

    def read(
        self, network: LanguageNetwork, chunk: Chunk, *, label_smoothing: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Return the summed loss of the next chunk, in nats, and its number of characters."""
        state = None if self.state is None else carry(self.state, chunk.starts)
        logits, self.state = network(chunk.inputs, state)
        nats = nn.functional.cross_entropy(
            logits.flatten(0, 1),
            chunk.targets.flatten(),
            ignore_index=PADDING,
            reduction="sum",
            label_smoothing=label_smoothing,
        )
        return nats, (chunk.targets != PADDING).sum()


class LanguageTask(LightningModule):
    """Predict every next character.

    Logs once per epoch ``train/loss``, ``val/loss`` (nats per character), ``learning_rate``,
    ``val/bits_per_character`` and ``val/perplexity`` (per character), each over all characters of
    the split, not averaged over batches.

    Parameters
    ----------
    network : LanguageNetwork
    settings : Optimisation
    """

    def __init__(self, network: LanguageNetwork, *, settings: Optimisation) -> None:
        super().__init__()
        self.network = network
        self._settings = settings
        self.training_loss, self.validation_loss = EpochMean(), EpochMean()
        self._training, self._validation = Reader(), Reader()

    def on_train_epoch_start(self) -> None:
        """Start all streams from a zero state."""
        self._training = Reader()

    def training_step(self, batch: Chunk, batch_idx: int) -> Tensor:
        """Return the mean loss per character of one chunk."""
        smoothing = self._settings.label_smoothing
        nats, characters = self._training.read(self.network, batch, label_smoothing=smoothing)
        self.training_loss.update(nats, characters)
        return nats / characters.clamp(min=1)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Add the L1 penalty, before gradients are clipped."""
        add_l1_gradient(optimizer, self._settings.l1)

    def on_train_epoch_end(self) -> None:
        """Log the training loss of the epoch and the learning rate."""
        optimizer: Any = self.optimizers()
        values = {
            names.metric(names.TRAIN, names.LOSS): self.training_loss.compute(),
            names.LEARNING_RATE: optimizer.param_groups[0]["lr"],
        }
        self.training_loss.reset()
        self.log_dict(values, sync_dist=True)

    def on_validation_epoch_start(self) -> None:
        """Start all streams from a zero state."""
        self._validation = Reader()

    def validation_step(self, batch: Chunk, batch_idx: int) -> None:
        """Add the loss of one chunk."""
        self.validation_loss.update(*self._validation.read(self.network, batch))

    def on_validation_epoch_end(self) -> None:
        """Log loss, bits per character and perplexity of the validation split.

        Perplexity is the exponential of the loss. `torchmetrics.text.Perplexity` takes the
        logarithm of a softmax, which is infinite for a character whose logit is 104 below another.
        """
        nats = self.validation_loss.compute()
        self.validation_loss.reset()
        values = {
            names.LOSS: nats,
            names.BITS_PER_CHARACTER: nats / math.log(2),
            names.PERPLEXITY: nats.exp(),
        }
        values = {names.metric(names.VAL, name): value for name, value in values.items()}
        self.log_dict(values, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Return optimiser and schedule of the settings."""
        groups = parameter_groups(
            self.network.named_parameters(),
            lr=self._settings.lr,
            weight_decay=self._settings.weight_decay,
        )
        return configure(
            groups,
            self._settings,
            total_steps=int(self.trainer.estimated_stepping_batches),
            fused=self.trainer.precision != "16-mixed",
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the hidden state and the training loss of the epoch so far."""
        state = self._training.state
        checkpoint["state"] = None if state is None else _map(torch.Tensor.detach, state)
        checkpoint["training_loss"] = self.training_loss.checkpoint()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue from the hidden state and the training loss of a checkpoint."""
        if checkpoint["state"] is not None:
            self._training.state = _map(lambda part: part.to(self.device), checkpoint["state"])
        self.training_loss.restore(checkpoint["training_loss"], self.device)


def _map(change: Callable[[Tensor], Tensor], state: Any) -> Any:
    return tuple(map(change, state)) if isinstance(state, tuple) else change(state)
