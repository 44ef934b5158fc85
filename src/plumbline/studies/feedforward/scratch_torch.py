"""What torch and Lightning compute for the network from scratch: gradients, fits, Jacobians."""

from __future__ import annotations

import math
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from plumbline.models.fnn import FeedForward
from plumbline.runs.fit_context import FitContext
from plumbline.studies.feedforward.numpy_network.activations import Floats
from plumbline.studies.feedforward.numpy_network.heads import Targets
from plumbline.studies.feedforward.numpy_network.network import Network
from plumbline.training.data_modules.examples import MemoryDataModule
from plumbline.training.engine.loaders import Batches, MemoryBatches
from plumbline.training.recipes.base import run_fit

# isort: split
# After plumbline.training, which lets Lightning import torchvision.
from pytorch_lightning import LightningModule

_INPUTS = 8  # of the network whose Jacobian is counted


def autograd_gradients(network: Network, x: Floats, y: Targets) -> list[Floats]:
    """Return the gradient of the mean loss in the layout of ``network.layers``."""
    peer = to_torch(network)
    torch.autograd.backward(loss(peer(torch.from_numpy(x)), torch.from_numpy(y), network.head))
    return _layers(peer, lambda parameter: parameter.grad)


def fit(network: Network, x: Floats, y: Targets, *, lr: float, epochs: int) -> list[Floats]:
    """Return the weights after gradient descent in torch from the weights of ``network``."""
    peer = to_torch(network)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    descent = torch.optim.SGD(peer.parameters(), lr=lr)
    for _ in range(epochs):
        descent.zero_grad()
        torch.autograd.backward(loss(peer(inputs), targets, network.head))
        descent.step()
    return _layers(peer, lambda parameter: parameter.detach())


class Descent(LightningModule):
    """Plain gradient descent, which the tasks with their momentum and schedules have not.

    Parameters
    ----------
    network : nn.Module
    head : str
        See `Network`.
    lr : float
    """

    def __init__(self, network: nn.Module, *, head: str, lr: float) -> None:
        super().__init__()
        self.network, self._head, self._lr = network, head, lr

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the mean loss."""
        inputs, targets = batch
        return loss(self.network(inputs), targets, self._head)

    def configure_optimizers(self) -> Any:
        """Return SGD without momentum."""
        return torch.optim.SGD(self.parameters(), lr=self._lr)


class AllRows(MemoryDataModule):
    """All rows in one batch, in their order; none for validation.

    Parameters
    ----------
    inputs, targets : Tensor
        ``(N, …)`` and ``(N, …)``.
    """

    def __init__(self, inputs: Tensor, targets: Tensor) -> None:
        super().__init__()
        self._rows = MemoryBatches(inputs, targets, batch_size=len(inputs), shuffle=False)

    def train_dataloader(self) -> Batches[tuple[Tensor, ...]]:
        """Return the one batch."""
        return self.place(self._rows)


def fit_by_lightning(
    network: Network, x: Floats, y: Targets, *, trainer: Any, lr: float, epochs: int
) -> list[Floats]:
    """Return the weights after gradient descent by the Trainer of all fits; see `fit`."""
    module = Descent(to_torch(network), head=network.head, lr=lr)
    data = AllRows(torch.from_numpy(x), torch.from_numpy(y))
    with tempfile.TemporaryDirectory() as work:
        context = FitContext(stage="scratch", work=Path(work), seed=0, trainer=trainer)
        run_fit(module, data, context=context, max_epochs=epochs)
    return _layers(module.network, lambda parameter: parameter.detach())


def to_torch(network: Network) -> FeedForward:
    """Return the network in torch, in double precision."""
    sizes = [weights.shape[1] - 1 for weights in network.layers]
    peer = FeedForward(
        inputs=sizes[0], outputs=len(network.layers[-1]), hidden=sizes[1:],
        activation=network.activation, dropout=0.0, norm="none", init="default",
    ).double()  # fmt: skip
    with torch.no_grad():
        for linear, weights in zip(_linears(peer), network.layers, strict=True):
            linear.weight.copy_(torch.from_numpy(weights[:, :-1]))
            linear.bias.copy_(torch.from_numpy(weights[:, -1]))
    return peer


def loss(outputs: Tensor, targets: Tensor, head: str) -> Tensor:
    """Return the mean loss of a head by torch's own functions."""
    if head == "multi_class":
        return functional.cross_entropy(outputs, targets)
    if head == "binary":
        return functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.double())
    return functional.mse_loss(outputs, targets, reduction="none").sum(dim=1).mean()


def _linears(peer: nn.Module) -> list[nn.Linear]:
    return [module for module in peer.modules() if isinstance(module, nn.Linear)]


def _layers(peer: nn.Module, take: Any) -> list[Floats]:
    return [
        torch.cat([take(linear.weight), take(linear.bias)[:, None]], dim=1).numpy()
        for linear in _linears(peer)
    ]


@dataclass(frozen=True)
class JacobianCosts:
    """Floating-point operations of a whole Jacobian over those of one evaluation.

    Attributes
    ----------
    parameters : int
    forward, reverse : float
        One pass for each parameter, or an evaluation and one pass back for each output.
    difference : float
        Largest absolute difference of the two Jacobians.
    """

    parameters: int
    forward: float
    reverse: float
    difference: float


def jacobian_costs(*, width: int, outputs: int, seed: int) -> JacobianCosts:
    """Count the operations of a whole Jacobian by `torch.func.jvp` and by `torch.func.vjp`.

    Those of matrix products count, as `torch.utils.flop_counter` does: forward, a product's value
    and its change by each of its factors, also by one that is fixed.

    The function has two hidden layers of ``width`` tanh units, whose weights are the parameters,
    and a fixed linear read-out: the number of outputs leaves the number of parameters alone.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        drawn: Tensor = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return drawn.div(math.sqrt(shape[-1]))

    x, readout = draw(_INPUTS, 1), draw(outputs, width)
    split = width * _INPUTS
    parameters = torch.cat([draw(width, _INPUTS).flatten(), draw(width, width).flatten()])

    def function(weights: Tensor) -> Tensor:
        first, second = weights[:split].view(width, -1), weights[split:].view(width, -1)
        found: Tensor = (readout @ (second @ (first @ x).tanh()).tanh())[:, 0]
        return found

    with FlopCounterMode(display=False) as evaluation:
        function(parameters)
    with FlopCounterMode(display=False) as forward, warnings.catch_warnings():
        # torch 2.13 calls a function of its own that it deprecates.
        warnings.filterwarnings("ignore", message=".*torch.jit.script.* is deprecated")
        columns = [
            torch.func.jvp(function, (parameters,), (direction,))[1]
            for direction in torch.eye(len(parameters), dtype=torch.float64)
        ]
    with FlopCounterMode(display=False) as reverse:
        pull: Any = torch.func.vjp(function, parameters)[1]
        rows = [pull(direction)[0] for direction in torch.eye(outputs, dtype=torch.float64)]
    one = evaluation.get_total_flops()
    difference = (torch.stack(columns, dim=1) - torch.stack(rows)).abs().max()
    return JacobianCosts(
        parameters=len(parameters),
        forward=forward.get_total_flops() / one,
        reverse=reverse.get_total_flops() / one,
        difference=float(difference),
    )
