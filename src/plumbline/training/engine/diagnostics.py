"""Measure gradients, updates and activations of the layers of any network in its fit."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from plumbline.training.engine.callbacks import batches_done
from plumbline.training.engine.diagnosis import EXPLODING, Diagnosis, diagnose
from plumbline.training.engine.history import RunRecordLogger
from plumbline.training.engine.layers import Layer, find_layers, label_of

log = logging.getLogger(__name__)

PREFIX, LAYERS = "gradients", "layers"  # in the names of the values
NORM, UPDATE, VARIANCE = "norm", "update_ratio", "variance"
DEAD, SATURATED, SLOPE = "dead_share", "saturated_share", "slope"

# Beyond these outputs a derivative is below 2 % of the sigmoid's, or 7 % of tanh's: |z| > 4, where
# the textbook chapter calls a sigmoid saturated, and |z| > 2, the same point of tanh.
_SIGMOID, _TANH = 1 / (1 + math.exp(-4)) - 0.5, math.tanh(2)
_SATURATED: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    nn.Sigmoid: lambda y: (y - 0.5).abs() > _SIGMOID,
    nn.Tanh: lambda y: y.abs() > _TANH,
}


class Diagnostics(Callback):
    """Log statistics of every layer, and say when gradients explode.

    It only reads: a fit with it has the bits of one without. Layers are the modules with a
    trainable weight, in the order in which the networks define them, which ours do from input to
    output; layers of a recurrent cell are separate. A network is a direct child of the Lightning
    module, so a GAN has two. Per layer: the norm of the gradient before clipping, the norm of the
    update over that of the weights, the variance of the outputs; per ReLU the share of units that
    were 0 for every input since the last row; per sigmoid and tanh the share of saturated outputs.
    Values are means over the steps of a row: an epoch, or ``every`` batches. Activations that are
    no modules are not seen. Of several processes each sees its own rows; gradients are common.

    Parameters
    ----------
    stage : str
        Named in warnings.
    logger : RunRecordLogger
    every : int or None
        Batches between two rows; None for a row per epoch.
    """

    def __init__(self, stage: str, *, logger: RunRecordLogger, every: int | None = None) -> None:
        self._stage, self._logger, self._every = stage, logger, every
        self._networks: dict[str, list[Layer]] = {}
        self._units: dict[str, list[str]] = {}  # activations by network
        self._hooks: list[Any] = []
        self._before: dict[str, list[Tensor]] = {}  # weights before an update, by layer
        self._norms: dict[str, list[float]] = {}  # of the last update, by network
        self._state: dict[str, Any] = {"sums": {}, "counts": {}, "fired": {}, "facts": {}}

    # --- what is measured -------------------------------------------------------------------------

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Find the layers and watch their outputs."""
        self._networks = find_layers(module)
        modules = dict(module.named_modules())
        for network, layers in self._networks.items():
            for layer in layers:
                if layer.module in modules:
                    self._watch(modules[layer.module], self._see_output(network, layer.name))
            for name, child in modules.items():
                if name.partition(".")[0] == network and _is_unit(child):
                    self._units.setdefault(network, []).append(name)
                    label = label_of(len(self._units[network]) - 1, name.partition(".")[2] or name)
                    self._watch(child, self._see_units(network, label))

    def on_before_optimizer_step(
        self, trainer: Trainer, module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Keep the gradients' norms and the weights, before gradients are clipped."""
        mine = {id(p) for group in optimizer.param_groups for p in group["params"]}
        for network, layers in self._networks.items():
            chosen = [
                layer
                for layer in layers
                if any(id(p) in mine and p.grad is not None for p in layer.weights)
            ]
            if not chosen:
                continue
            norms = [_norm([p.grad for p in layer.weights]) for layer in chosen]
            if trainer.precision == "16-mixed" and not all(map(math.isfinite, norms)):
                continue  # this update is skipped: the scale of the loss was too large
            self._norms[network] = norms
            for layer, norm in zip(chosen, norms, strict=True):
                self._add(_key(network, NORM, layer.name), norm)
                self._before[f"{network}/{layer.name}"] = [
                    p.detach().clone() for p in layer.weights
                ]

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure the updates; log a row where one is due within an epoch."""
        for network, norms in self._norms.items():
            self._measure_update(network, norms, trainer)
        self._norms, self._before = {}, {}
        if self._every is not None and (batch_idx + 1) % self._every == 0:
            self._log_row({}, batches_done(trainer))

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Log the row of the epoch, or the rest of it."""
        if self._every is None:
            # Lightning's own values of an epoch have the number of the last update, from 0.
            self._log_row({"epoch": trainer.current_epoch}, max(trainer.global_step - 1, 0))
        elif self._state["sums"]:
            self._log_row({}, batches_done(trainer))

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Stop watching."""
        self._stop()

    def on_exception(
        self, trainer: Trainer, module: LightningModule, exception: BaseException
    ) -> None:
        """Stop watching."""
        self._stop()

    def state_dict(self) -> dict[str, Any]:
        """Return the sums since the last row, and the facts, for a checkpoint."""
        return self._state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self._state = state_dict

    @property
    def facts(self) -> dict[str, Any]:
        """Verdict, reason, fix, and the first and last row of each network, for the model's config.

        The verdict is that of the last row, or *exploding* if a single step was.
        """
        found: dict[str, Any] = self._state["facts"]
        return found

    # --- how --------------------------------------------------------------------------------------

    def _watch(self, module: nn.Module, see: Callable[[nn.Module, Tensor], None]) -> None:
        def hook(module: nn.Module, arguments: Any, output: Any) -> None:
            value = output[0] if isinstance(output, tuple) else output
            if module.training and isinstance(value, Tensor):
                with torch.no_grad():
                    see(module, value.detach())

        self._hooks.append(module.register_forward_hook(hook))

    def _see_output(self, network: str, layer: str) -> Callable[[nn.Module, Tensor], None]:
        def see(module: nn.Module, value: Tensor) -> None:
            if value.is_floating_point():
                variance = float(value.float().var(correction=0))
                self._add(_key(network, VARIANCE, layer), variance)

        return see

    def _see_units(self, network: str, label: str) -> Callable[[nn.Module, Tensor], None]:
        def see(module: nn.Module, value: Tensor) -> None:
            saturated = _SATURATED.get(type(module))
            if saturated is not None:
                share = float(saturated(value).float().mean())
                self._add(_key(network, SATURATED, label), share)
                return
            units = value.movedim(1 if value.ndim == 4 else -1, 0).flatten(1)
            fired = (units > 0).any(dim=1)
            key, seen = _key(network, DEAD, label), self._state["fired"]
            same = key in seen and seen[key].shape == fired.shape
            seen[key] = fired | seen[key].to(fired.device) if same else fired

        return see

    def _measure_update(self, network: str, norms: list[float], trainer: Trainer) -> None:
        moved, total = [], []
        for layer in self._networks[network]:
            if (before := self._before.get(f"{network}/{layer.name}")) is None:
                continue
            pairs = zip(layer.weights, before, strict=True)
            update, weight = _norm([new.detach() - old for new, old in pairs]), _norm(before)
            moved.append(update)
            total.append(weight)
            if weight:
                self._add(_key(network, UPDATE, layer.name), update / weight)
        ratio = math.hypot(*moved) / math.hypot(*total) if any(total) else math.nan
        self._add(f"{network}/{UPDATE}", ratio)
        found = diagnose(norms, update_ratio=ratio, dead_share=math.nan)
        facts = self.facts.setdefault(network, {})
        if found.verdict == EXPLODING and "exploded_at" not in facts:
            step = batches_done(trainer)
            facts |= {"exploded_at": step, **_told(found)}
            log.warning(
                "%s: gradients of %s explode at batch %d: %s; %s",
                self._stage, network, step, found.reason, found.fix,
            )  # fmt: skip

    def _add(self, key: str, value: float) -> None:
        sums, counts = self._state["sums"], self._state["counts"]
        sums[key] = sums.get(key, 0.0) + value
        counts[key] = counts.get(key, 0) + 1

    def _log_row(self, where: Mapping[str, float], step: int) -> None:
        state = self._state
        row = {key: value / state["counts"][key] for key, value in state["sums"].items()}
        row |= {k: 1 - float(fired.float().mean()) for k, fired in state["fired"].items()}
        for network in self._networks:
            norms = [value for _, value in sorted(_of(row, network, NORM).items())]
            if not norms:
                continue
            for quantity in (DEAD, SATURATED):
                if shares := _of(row, network, quantity):
                    row[f"{network}/{quantity}"] = max(shares.values())
            dead = row.get(f"{network}/{DEAD}", math.nan)
            found = diagnose(
                norms,
                update_ratio=row[f"{network}/{UPDATE}"],
                dead_share=dead,
                variances=[value for _, value in sorted(_of(row, network, VARIANCE).items())],
            )
            row[f"{network}/{SLOPE}"] = found.slope
            self._note(network, found, row)
        state["sums"], state["counts"], state["fired"] = {}, {}, {}
        values = {f"{PREFIX}/{key}": value for key, value in row.items()}
        self._logger.log_metrics({**values, **where}, step=step)

    def _note(self, network: str, found: Diagnosis, row: Mapping[str, float]) -> None:
        facts = self.facts.setdefault(network, {})
        summary: dict[str, Any] = {
            key: _number(row.get(f"{network}/{key}")) for key in (SLOPE, UPDATE, DEAD, SATURATED)
        }
        summary["verdict"] = found.verdict
        facts.setdefault("first", summary)
        facts["last"], facts["layers"] = summary, len(_of(row, network, NORM))
        if "exploded_at" not in facts:
            facts |= _told(found)

    def _stop(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []


def _is_unit(module: nn.Module) -> bool:
    return type(module) in _SATURATED or isinstance(module, (nn.ReLU, nn.ReLU6))


def _norm(parts: Sequence[Tensor | None]) -> float:
    norms = (
        float(torch.linalg.vector_norm(part.detach(), dtype=torch.float64))
        for part in parts
        if part is not None
    )
    return math.hypot(*norms)


def _key(network: str, quantity: str, layer: str) -> str:
    return f"{network}/{LAYERS}/{quantity}/{layer}"


def _of(row: Mapping[str, float], network: str, quantity: str) -> dict[str, float]:
    start = _key(network, quantity, "")
    return {key: value for key, value in row.items() if key.startswith(start)}


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _told(found: Diagnosis) -> dict[str, str]:
    return {"verdict": found.verdict, "reason": found.reason, "fix": found.fix}
