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
from plumbline.models.rnn import CharRNN, State, carry
from plumbline.models.streams import PADDING, Chunk
from plumbline.tasks.epochs import record
from plumbline.tasks.optimisation import OptimisationSettings, configure, parameter_groups


class Reading:
    """One pass over streams: the state reached, and what the characters read so far have cost."""

    def __init__(self) -> None:
        self._state: State | None = None
        self._nats: list[Tensor] = []
        self._characters: list[Tensor] = []

    def read(self, network: CharRNN, chunk: Chunk, *, label_smoothing: float = 0.0) -> Tensor:
        """Return the mean loss per character of the next chunk, in nats."""
        state = None if self._state is None else carry(self._state, chunk.starts)
        logits, self._state = network(chunk.inputs, state)
        nats = nn.functional.cross_entropy(
            logits.flatten(0, 1),
            chunk.targets.flatten(),
            ignore_index=PADDING,
            reduction="sum",
            label_smoothing=label_smoothing,
        )
        characters = (chunk.targets != PADDING).sum()
        self._nats.append(nats.detach())
        self._characters.append(characters)
        return nats / characters.clamp(min=1)

    def sums(self) -> Tensor:
        """Return the nats and the number of all characters read, ``(2,)`` float32."""
        return torch.stack([torch.stack(self._nats).sum(), torch.stack(self._characters).sum()])

    def state_dict(self) -> dict[str, Any]:
        """Return all that `load_state_dict` needs to go on from here; empty before the first."""
        if not self._nats:
            return {}
        return {
            "state": _map(torch.Tensor.detach, self._state),
            "nats": torch.stack(self._nats),
            "characters": torch.stack(self._characters),
        }

    def load_state_dict(self, state_dict: dict[str, Any], device: torch.device) -> None:
        """Go on from where another reading was."""
        if not state_dict:
            return
        self._state = _map(lambda part: part.to(device), state_dict["state"])
        self._nats = list(state_dict["nats"].to(device).unbind())
        self._characters = list(state_dict["characters"].to(device).unbind())


def _map(change: Callable[[Tensor], Tensor], state: Any) -> Any:
    return tuple(map(change, state)) if isinstance(state, tuple) else change(state)


class LanguageTask(LightningModule):
    """Predict every next character.

    Logs once per epoch ``train/loss``, ``val/loss`` (nats per character), ``learning_rate``,
    ``val/bits_per_character`` and ``val/perplexity`` (per character), each over all characters of
    the split, not averaged over batches.

    Parameters
    ----------
    network : CharRNN
    settings : OptimisationSettings
    """

    def __init__(self, network: CharRNN, *, settings: OptimisationSettings) -> None:
        super().__init__()
        self.network = network
        self._settings = settings
        self._training, self._validation = Reading(), Reading()

    def on_train_epoch_start(self) -> None:
        """Start all streams anew."""
        self._training = Reading()

    def training_step(self, batch: Chunk, batch_idx: int) -> Tensor:
        """Return the mean loss per character of one chunk."""
        smoothing = self._settings.label_smoothing
        return self._training.read(self.network, batch, label_smoothing=smoothing)

    def on_train_epoch_end(self) -> None:
        """Log the training loss of the epoch and the learning rate."""
        optimizer: Any = self.optimizers()
        rate = optimizer.param_groups[0]["lr"]
        loss = self._mean(self._training)
        record(self, {names.metric(names.TRAIN, names.LOSS): loss, names.LEARNING_RATE: rate})

    def on_validation_epoch_start(self) -> None:
        """Start all streams anew."""
        self._validation = Reading()

    def validation_step(self, batch: Chunk, batch_idx: int) -> None:
        """Read one chunk."""
        self._validation.read(self.network, batch)

    def on_validation_epoch_end(self) -> None:
        """Log loss, bits per character and perplexity of the validation split."""
        nats = self._mean(self._validation)
        values = {
            names.LOSS: nats,
            names.BITS_PER_CHARACTER: nats / math.log(2),
            names.PERPLEXITY: nats.exp(),
        }
        record(self, {names.metric(names.VAL, name): value for name, value in values.items()})

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
        """Keep how far the streams have been read."""
        checkpoint["reading"] = self._training.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from where the streams had been read to."""
        self._training.load_state_dict(checkpoint["reading"], self.device)

    def _mean(self, reading: Reading) -> Tensor:
        nats, characters = self.trainer.strategy.reduce(reading.sums(), reduce_op="sum")
        mean: Tensor = nats / characters
        return mean
