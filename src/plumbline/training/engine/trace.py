"""Write the trace of a fit: digests of weights, inputs, losses and gradients of every step."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from plumbline import names
from plumbline.artifacts import traces


class Trace(Callback):
    """Append a line per step to a trace file; see `plumbline.artifacts.traces` for its content.

    It changes and draws nothing, so a traced fit has the bits of an untraced one. The hash chain is
    in the checkpoints: a resumed fit continues it, and lines after the checkpoint are deleted. With
    two optimisers (the GAN) the gradients of both updates are recorded, ``loss`` holds all that
    ``training_step`` returned, and ``weights`` are those before the first update. The state that
    an RNN carries from chunk to chunk is not recorded: weights and inputs determine it. Of several
    processes the first one writes its own steps.

    Parameters
    ----------
    path : Path
        Created if missing; a line is written when its step is done.
    fit : str
        Name of the fit, where a stage has several.
    """

    def __init__(self, path: Path, *, fit: str) -> None:
        self._path, self._fit = path, fit
        self._step, self._chain = 0, traces.START
        self._rates: list[str] = []  # learning rates of the updates of the last step
        self._line: dict[str, Any] = {}
        self._gradient: dict[str, list[str]] = {}
        self._names: dict[int, str] = {}

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Delete the lines after the last step of the checkpoint."""
        self._names = {id(value): name for name, value in module.named_parameters()}
        if trainer.is_global_zero:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            traces.cut(self._path, fit=self._fit, step=self._step)

    def on_train_batch_start(
        self, trainer: Trainer, module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Record weights, samples, inputs and random state at the start of the step."""
        chosen = getattr(trainer.train_dataloader, "chosen", None)
        self._line = {
            "fit": self._fit,
            "step": self._step + 1,
            "rates": self._rates,
            traces.WEIGHTS: {k: tensor_digest(v) for k, v in module.state_dict().items()},
            traces.SAMPLES: None if chosen is None else chosen.tolist(),
            traces.INPUTS: [tensor_digest(part) for part in _tensors(batch)],
            traces.RANDOM: _random_digest(module.device),
        }
        self._gradient = {}

    def on_before_optimizer_step(
        self, trainer: Trainer, module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Record the gradients of one update, before they are clipped."""
        groups = optimizer.param_groups
        if not self._gradient:  # the first update of the step
            self._rates = []
        self._rates += [float(group["lr"]).hex() for group in groups]
        mine = {self._names[id(p)]: p.grad for group in groups for p in group["params"]}
        for name in reversed([name for name in self._names.values() if name in mine]):
            if (gradient := mine[name]) is not None:
                norm = float(torch.linalg.vector_norm(gradient.detach(), dtype=torch.float64))
                self._gradient[name] = [tensor_digest(gradient), norm.hex()]

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record losses and gradients, and write the line."""
        losses = outputs if isinstance(outputs, Mapping) else {names.LOSS: outputs}
        if not self._gradient:  # no update in this step
            self._rates = []
        squares = (float.fromhex(norm) ** 2 for _, norm in self._gradient.values())
        self._line |= {
            traces.LOSS: {
                name: float(value).hex()
                for name, value in losses.items()
                if isinstance(value, Tensor)
            },
            traces.GRADIENT: self._gradient,
            "gradient_norm": math.sqrt(math.fsum(squares)).hex(),
        }
        text, self._chain = traces.encode(self._chain, self._line)
        self._step += 1
        if trainer.is_global_zero:
            # Closed after each line, so that the line is kept if this process is killed.
            with self._path.open("ab") as stream:
                stream.write(text.encode())

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"step": self._step, "chain": self._chain, "rates": self._rates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the chain of a checkpoint."""
        self._step, self._chain = state_dict["step"], state_dict["chain"]
        self._rates = list(state_dict["rates"])


def tensor_digest(value: Tensor) -> str:
    """Return 16 hex digits of SHA-256 over type, shape and bytes; equal for equal tensors only."""
    plain = value.detach().cpu().contiguous()
    found = hashlib.sha256(f"{plain.dtype}{tuple(plain.shape)}".encode())
    # By way of bytes, since NumPy has no bfloat16.
    found.update(plain.flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()[:16]


def _random_digest(device: torch.device) -> str:
    found = hashlib.sha256(torch.get_rng_state().numpy().data)
    if device.type == "cuda":
        found.update(torch.cuda.get_rng_state(device).numpy().data)
    return found.hexdigest()[:16]


def _tensors(batch: Any) -> Iterator[Tensor]:
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, Mapping):
        for part in batch.values():
            yield from _tensors(part)
    elif isinstance(batch, (list, tuple)):
        for part in batch:
            yield from _tensors(part)
