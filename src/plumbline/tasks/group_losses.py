"""Classifiers with a loss of groups: group penalty, group DRO, adversarial mitigation.

Targets are codes of cells, ``classes · group + class``: the loss uses the group, the network does
not. Every loss compares groups within each class, as `plumbline.mitigation.inprocessing.objectives`
does. With a strength of 0 each task has the bits of `ClassifierTask`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from plumbline.errors import TrainingError
from plumbline.params.models import Optimisation
from plumbline.tasks.classify import ClassifierTask


def group_penalty(logit: Tensor, target: Tensor, group: Tensor) -> Tensor:
    """Return the differences between the mean logits of groups within each class.

    The sum, over classes and groups, of the squared difference between the group's mean logit and
    the class's (R. Berk et al., "A convex framework for fair regression", 2017, group penalty).

    Parameters
    ----------
    logit : Tensor, (N,)
    target, group : Tensor, (N,)
        Codes; a group without a row of a class adds nothing.
    """
    penalty = logit.new_zeros(())
    for code in torch.unique(target):
        own = target == code
        centre = logit[own].mean()
        for member in torch.unique(group[own]):
            penalty = penalty + (logit[own & (group == member)].mean() - centre).square()
    return penalty


def exponentiated_gradient(weights: Tensor, losses: Tensor, *, step: float) -> Tensor:
    """Return the cells' weights ``(C,)`` after a step of exponentiated gradient ascent.

    ``weight · exp(step · loss)``, scaled to a sum of 1 (S. Sagawa et al., "Distributionally robust
    neural networks for group shifts", ICLR 2020, algorithm 1). A loss of 0 stands for a cell that
    has no row in the batch.
    """
    raised = weights * torch.exp(step * losses)
    return raised / raised.sum()


def adversarial_mitigation(
    own: Sequence[Tensor], other: Sequence[Tensor], *, weight: float
) -> list[Tensor]:
    """Return a model's gradient without its component that helps the adversary.

    ``own - projection of own on other - weight · other`` over all parameters together (B. H. Zhang,
    B. Lemoine and M. Mitchell, "Mitigating unwanted biases with adversarial learning", AIES 2018,
    equation 1).

    Parameters
    ----------
    own, other : sequences of Tensor
        Gradients of the model's and of the adversary's loss by the model's parameters.
    weight : float
    """
    length = sum(float(g.square().sum()) for g in other)
    product = sum(float((f * g).sum()) for f, g in zip(own, other, strict=True))
    along = product / length if length > 1e-12 else 0.0
    return [f - (along + weight) * g for f, g in zip(own, other, strict=True)]


class GroupTask(ClassifierTask):
    """Cross-entropy whose targets are codes of cells; the base of the losses of groups.

    Parameters
    ----------
    network : nn.Module
        Inputs → ``(N, K)`` logits.
    settings : Optimisation
    classes : int
        ``K``.
    class_weights : Tensor, optional
        See `ClassifierTask`.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        settings: Optimisation,
        classes: int,
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__(network, settings=settings, class_weights=class_weights)
        self._classes = classes

    def loss(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None, *, training: bool
    ) -> Tensor:
        """``(N, K)`` logits, ``(N,)`` cell codes and weights → mean cross-entropy, in nats."""
        return super().loss(outputs, targets % self._classes, weights, training=training)

    def validation_metrics(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the metrics of the plain task."""
        return super().validation_metrics(outputs, targets % self._classes, weights)


class GroupPenalty(GroupTask):
    """Cross-entropy plus ``weight`` times `group_penalty`, of two classes.

    Parameters
    ----------
    network, settings, class_weights
        See `GroupTask`.
    weight : float
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        settings: Optimisation,
        weight: float,
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__(network, settings=settings, classes=2, class_weights=class_weights)
        self._weight = weight

    def loss(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None, *, training: bool
    ) -> Tensor:
        """Return the mean cross-entropy plus the weighted penalty of the batch."""
        plain = super().loss(outputs, targets, weights, training=training)
        gap = group_penalty(outputs[:, 1] - outputs[:, 0], targets % 2, targets // 2)
        return plain + self._weight * gap


class GroupDro(GroupTask):
    """Group distributionally robust optimisation: cross-entropy of the worst mixture of cells.

    Cells begin with their training shares, not with equal weights as in the paper's algorithm, so
    that a step of 0 is plain training. The weight of a row is its cell's weight over its share.

    Parameters
    ----------
    network, settings, classes, class_weights
        See `GroupTask`.
    shares : Tensor, (C,)
        Of the cells among training rows, by the weights of their rows and classes; 0 for cells
        without any.
    step : float
    """

    shares: Tensor
    cell_weights: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        settings: Optimisation,
        classes: int,
        shares: Tensor,
        step: float,
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__(network, settings=settings, classes=classes, class_weights=class_weights)
        self._step = step
        self.register_buffer("shares", shares)
        self.register_buffer("cell_weights", shares.clone())

    def on_fit_start(self) -> None:
        """Refuse several processes: each would weight cells by its own rows."""
        _refuse_processes(self, "group DRO")

    def loss(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None, *, training: bool
    ) -> Tensor:
        """Return the mean cross-entropy of rows, weighted by cell.

        In training the weights of the cells are updated first, by the losses of the batch. In
        validation the loss is that of the worst cell, by which the paper selects models.
        """
        if self._step == 0:
            return super().loss(outputs, targets, weights, training=training)
        cells = self.cell_means(outputs.detach(), targets, weights)
        if not training:
            return cells.max()
        self.cell_weights = exponentiated_gradient(self.cell_weights, cells, step=self._step)
        ratio = (self.cell_weights / self.shares)[targets]
        rows = ratio if weights is None else ratio * weights
        return super().loss(outputs, targets, rows, training=True)

    def cell_means(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the mean cross-entropy of each cell ``(C,)``; 0 for cells without a row."""
        rows = functional.cross_entropy(outputs, targets % self._classes, reduction="none")
        share = torch.ones_like(rows) if weights is None else weights
        empty = torch.zeros_like(self.shares)
        sums, sizes = (empty.index_add(0, targets, part) for part in (rows * share, share))
        return torch.where(sizes > 0, sums / sizes, empty)


class AdversarialMitigation(GroupTask):
    """Cross-entropy against an adversary that predicts the group from logit and class.

    Of two classes. The adversary is a softmax regression on ``1, z, y, z · y`` (equalised odds)
    with initial weights of 0; it makes one step of gradient descent per batch. See
    `adversarial_mitigation` for the network's step.

    Parameters
    ----------
    network, settings, class_weights
        See `GroupTask`.
    groups : int
    weight : float
        0 leaves out the adversary and the projection.
    adversary_lr : float
    """

    adversary: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        settings: Optimisation,
        groups: int,
        weight: float,
        adversary_lr: float,
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__(network, settings=settings, classes=2, class_weights=class_weights)
        self._weight, self._adversary_lr = weight, adversary_lr
        self.register_buffer("adversary", torch.zeros(4, groups))
        self._pending: tuple[Tensor, Tensor] | None = None  # the adversary's loss and weights

    def on_fit_start(self) -> None:
        """Refuse several processes and accumulated gradients: the projection is of one batch."""
        _refuse_processes(self, "adversarial debiasing")
        if (batches := self.trainer.accumulate_grad_batches) > 1:
            raise TrainingError(
                f"adversarial debiasing: optimisation.accumulate must be 1, got {batches}; enlarge "
                "the batch instead"
            )

    def adversary_loss(self, outputs: Tensor, targets: Tensor, adversary: Tensor) -> Tensor:
        """Return the mean cross-entropy, in nats, of an adversary ``(4, G)``."""
        z, y = outputs[:, 1] - outputs[:, 0], (targets % 2).to(outputs.dtype)
        seen = torch.stack([torch.ones_like(z), z, y, z * y], dim=1)
        return functional.cross_entropy(seen @ adversary, targets // 2)

    def loss(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None, *, training: bool
    ) -> Tensor:
        """Return the network's loss; keep the adversary's for `backward`."""
        if training and self._weight:
            reader = self.adversary.clone().requires_grad_()
            self._pending = self.adversary_loss(outputs, targets, reader), reader
        return super().loss(outputs, targets, weights, training=training)

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Set the gradients of the network's parameters as `adversarial_mitigation` does."""
        kept, self._pending = self._pending, None
        if kept is None:
            super().backward(loss, *args, **kwargs)
            return
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        against, reader = kept
        *other, reading = torch.autograd.grad(against, [*parameters, reader], retain_graph=True)
        super().backward(loss, *args, **kwargs)
        own = [p.grad for p in parameters if p.grad is not None]
        directions = adversarial_mitigation(own, other, weight=self._weight)
        for parameter, direction in zip(parameters, directions, strict=True):
            parameter.grad = direction
        self.adversary -= self._adversary_lr * reading


def _refuse_processes(task: GroupTask, what: str) -> None:
    if task.trainer.world_size > 1:
        raise TrainingError(
            f"{what}: the fit must run in one process, got {task.trainer.world_size}; set "
            "trainer.devices and trainer.num_nodes to 1"
        )
