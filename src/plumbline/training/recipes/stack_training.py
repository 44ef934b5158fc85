"""Train many networks of one shape at once, each as it would be trained alone.

Shape letters: ``S`` networks, ``M`` rows of data, ``N`` rows of a batch, ``K`` outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from plumbline.models.stacked import StackedNetworks
from plumbline.training.data_modules.examples import Examples
from plumbline.training.data_modules.perturb import Perturbations
from plumbline.training.engine.callbacks import epoch_seed
from plumbline.training.engine.loaders import MemoryBatches

# Outputs (S, N, K), targets (S, N), weights (S, N) or None → mean loss of each network (S,)
Losses = Callable[[Tensor, Tensor, Tensor | None], Tensor]
Scheduler = torch.optim.lr_scheduler.LRScheduler


@dataclass(frozen=True)
class StackPlan:
    """How the networks of a stack are trained.

    Attributes
    ----------
    optimizer : torch.optim.Optimizer
        Of ``stack.parameters()``. It must treat each number by itself, as SGD, Adam, AdamW and
        RMSprop do.
    losses : callable
        Outputs ``(S, N, K)``, targets ``(S, N)``, weights ``(S, N)`` or None → ``(S,)``.
    batch_size, epochs : int
        See `MemoryBatches`.
    scheduler : LRScheduler, optional
        Steps after each update.
    accumulate : int
        Batches per update.
    clip_norm : float
        Largest gradient norm of each network; 0 for any.
    clip_value : float
        Largest entry of a gradient; 0 for any.
    rate_factors : Tensor, optional
        ``(S,)``: factors on the learning rate of each network.
    transform : callable, optional
        Inputs ``(S, N, F)`` and targets of a batch → the same, changed.
    perturb : callable, optional
        Seed of a network → what changes its batches, as a fit of the network alone has it.
    after_update : callable, optional
        Called after each update.
    """

    optimizer: torch.optim.Optimizer
    losses: Losses
    batch_size: int
    epochs: int
    scheduler: Scheduler | None = None
    accumulate: int = 1
    clip_norm: float = 0.0
    clip_value: float = 0.0
    rate_factors: Tensor | None = None
    transform: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
    perturb: Callable[[int], Perturbations] | None = None
    after_update: Callable[[], None] | None = None


def train_epochs(
    stack: StackedNetworks, data: Examples, plan: StackPlan, *, seeds: Sequence[int]
) -> Iterator[Tensor]:
    """Train a stack, and yield after every epoch the losses of its last batch.

    Order of rows, dropout and other draws are those of a Lightning fit of each network with its
    seed. Whoever iterates can evaluate between epochs, and end the training by ending the loop.
    Gradients stay those of the last update, after clipping.

    Parameters
    ----------
    stack : StackedNetworks
        ``S`` networks, changed in place.
    data : Examples
        Inputs ``(M, F)`` and targets ``(M,)`` for all networks, or ``(S, M, F)`` and ``(S, M)``
        with rows of its own for each, on the device of the stack.
    plan : StackPlan
    seeds : sequence of int
        ``S``.

    Yields
    ------
    Tensor
        ``(S,)``; not finite where a network has diverged, which leaves the others as they are.
    """
    loaders = _loaders(data, plan, seeds)
    batches, parameters = len(loaders[0]), list(stack.parameters())
    for epoch in range(plan.epochs):
        stack.train()
        stack.seed([epoch_seed(seed, epoch) for seed in seeds])
        for loader in loaders:
            loader.set_epoch(epoch)
        order = torch.stack([loader.order() for loader in loaders]).to(data.inputs.device)
        losses = torch.full((len(seeds),), torch.nan)
        for number, chosen in enumerate(torch.tensor_split(order, batches, dim=1)):
            if number % plan.accumulate == 0:
                plan.optimizer.zero_grad()
            inputs, targets, weights = _batch(data, plan, loaders, chosen)
            if plan.transform is not None:
                inputs, targets = plan.transform(inputs, targets)
            losses = plan.losses(stack(inputs), targets, weights)
            torch.autograd.backward(losses.sum() / plan.accumulate)
            if (number + 1) % plan.accumulate and number + 1 < batches:
                continue
            if plan.clip_norm:
                clip_norms(parameters, plan.clip_norm)
            if plan.clip_value:
                torch.nn.utils.clip_grad_value_(parameters, plan.clip_value)
            _step(plan, parameters)
            if plan.after_update is not None:
                plan.after_update()
            if plan.scheduler is not None:
                plan.scheduler.step()
        stack.eval()
        yield losses.detach()


class BestEpoch:
    """The epoch of the lowest validation loss of each network of a stack, so far.

    Parameters
    ----------
    stack : StackedNetworks
    patience : int
        Epochs without a lower loss after which a network has stopped.

    Attributes
    ----------
    state : dict of str to Tensor
        State of ``stack.network`` with each network's best epoch.
    losses : Tensor
        ``(S,)``.
    epochs : list of int
    running : Tensor
        ``(S,)``: whether a network has not stopped.
    """

    def __init__(self, stack: StackedNetworks, *, patience: int) -> None:
        self.state = {k: v.detach().clone() for k, v in stack.network.state_dict().items()}
        self.losses = torch.full((len(stack),), torch.inf)
        self.epochs = [0] * len(stack)
        self.running = torch.ones(len(stack), dtype=torch.bool)
        self._patience = patience

    def update(self, stack: StackedNetworks, losses: Tensor, epoch: int) -> None:
        """Keep the state of the networks that improve; stop those without patience left."""
        better = self.running & (losses < self.losses)
        self.losses = torch.where(better, losses, self.losses)
        self.epochs = torch.where(better, epoch, torch.tensor(self.epochs)).tolist()
        for name, value in stack.network.state_dict().items():
            self.state[name][better] = value.detach()[better]
        self.running &= epoch - torch.tensor(self.epochs) < self._patience


def cross_entropy(
    outputs: Tensor, targets: Tensor, weights: Tensor | None = None, *, smoothing: float = 0.0
) -> Tensor:
    """Return the mean cross-entropy of each network, in nats: ``(S, N, K)``, ``(S, N)`` → ``(S,)``.

    Rows count by their weight.
    """
    members, count = outputs.shape[:2]
    found = functional.cross_entropy(
        outputs.flatten(0, 1), targets.flatten(), label_smoothing=smoothing, reduction="none"
    ).view(members, count)
    return (found if weights is None else found * weights).mean(1)


def rows(data: Examples, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return inputs, targets and weights, if there are any, of each network's rows ``(S, N)``."""
    shared = data.targets.ndim == 1
    place = chosen if shared else (torch.arange(len(chosen), device=chosen.device)[:, None], chosen)
    weights = None if data.weights is None else data.weights[place]
    return data.inputs[place], data.targets[place], weights


def _batch(
    data: Examples, plan: StackPlan, loaders: Sequence[MemoryBatches], chosen: Tensor
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return a batch of every network; with perturbations each network's own."""
    if plan.perturb is None:
        return rows(data, chosen)
    batches = [
        loader.batch(numbers.cpu(), numbers)
        for loader, numbers in zip(loaders, chosen, strict=True)
    ]
    inputs, targets, *weights = (torch.stack(parts) for parts in zip(*batches, strict=True))
    return inputs, targets, weights[0] if weights else None


def clip_norms(parameters: Sequence[Tensor], limit: float) -> None:
    """Scale each network's gradient to a norm of at most ``limit``, as torch does for one."""
    gradients = [value.grad for value in parameters if value.grad is not None]
    norms = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)
    share = (limit / (norms + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(share.view(-1, *[1] * (gradient.ndim - 1)))


def _step(plan: StackPlan, parameters: Sequence[Tensor]) -> None:
    """Update a stack; rate factors scale the steps, which are linear in the rate."""
    if plan.rate_factors is None:
        plan.optimizer.step()
        return
    before = [value.detach().clone() for value in parameters]
    plan.optimizer.step()
    with torch.no_grad():
        for value, start in zip(parameters, before, strict=True):
            factors = plan.rate_factors.view(-1, *[1] * (value.ndim - 1))
            value.copy_(torch.lerp(start, value, factors))


def _loaders(data: Examples, plan: StackPlan, seeds: Sequence[int]) -> list[MemoryBatches]:
    shared = data.targets.ndim == 1

    def own(values: Tensor, number: int) -> Tensor:
        return values if shared else values[number]

    return [
        MemoryBatches(
            own(data.inputs, number),
            own(data.targets, number),
            weights=None if data.weights is None else own(data.weights, number),
            batch_size=plan.batch_size,
            accumulate=plan.accumulate,
            shuffle=True,
            seed=seed,
            **({} if plan.perturb is None else plan.perturb(seed)._asdict()),
        )
        for number, seed in enumerate(seeds)
    ]
