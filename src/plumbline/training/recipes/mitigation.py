"""Mitigation in the fit of a binary classifier: weights, resampled rows, losses of groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from plumbline.params.models import Optimisation
from plumbline.tasks.group_losses import AdversarialMitigation, GroupDro, GroupPenalty, GroupTask
from plumbline.training.data_modules.examples import Examples

CLASSES = 2

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainingMitigation:
    """Weights, resampling and loss of a fit. With the defaults it has the bits of a plain fit.

    Attributes
    ----------
    train_group, val_group : int arrays, (N,)
        Codes of the groups, in the order of the prepared rows of each split. Only loss and weights
        depend on them; the network does not see them.
    weight : float array, (N,), optional
        Weights of training rows, with a mean of 1; they multiply the weights of the data.
    drawn : int array, optional
        Numbers of the resampled training rows, with repetitions.
    scheme : {'plain', 'regulariser', 'group_dro', 'adversarial'}
        The loss; see `plumbline.tasks.group_losses`.
    strength : float
        Weight of the penalty, step size of group DRO, or weight of the adversary.
    adversary_lr : float
    """

    train_group: Codes
    val_group: Codes
    weight: npt.NDArray[np.float64] | None = None
    drawn: Codes | None = None
    scheme: str = "plain"
    strength: float = 0.0
    adversary_lr: float = 0.0

    def examples(self, train: Examples, val: Examples) -> tuple[Examples, Examples]:
        """Return the rows for training and validation, with codes of cells as targets."""
        weights = train.weights
        if self.weight is not None:
            own = torch.tensor(self.weight, dtype=torch.float32)
            weights = own if weights is None else own * weights
        train = Examples(train.inputs, _cells(train.targets, self.train_group), weights)
        if self.drawn is not None:
            order = torch.tensor(self.drawn)
            kept = None if weights is None else weights[order]
            train = Examples(train.inputs[order], train.targets[order], kept)
        return train, Examples(val.inputs, _cells(val.targets, self.val_group), val.weights)

    def task(
        self,
        network: nn.Module,
        settings: Optimisation,
        train: Examples,
        class_weights: Tensor | None = None,
    ) -> GroupTask:
        """Return the task that fits the network to the examples of `examples`."""
        how: dict[str, Any] = {"settings": settings, "class_weights": class_weights}
        if self.scheme == "regulariser":
            return GroupPenalty(network, weight=self.strength, **how)
        groups = int(max(self.train_group.max(), self.val_group.max())) + 1
        if self.scheme == "group_dro":
            counts = torch.bincount(train.targets, train.weights, minlength=CLASSES * groups)
            if class_weights is not None:
                counts = counts * class_weights.repeat(groups)
            return GroupDro(
                network,
                classes=CLASSES,
                shares=counts / counts.sum(),
                step=self.strength,
                **how,
            )
        if self.scheme == "adversarial":
            return AdversarialMitigation(
                network,
                groups=groups,
                weight=self.strength,
                adversary_lr=self.adversary_lr,
                **how,
            )
        return GroupTask(network, classes=CLASSES, **how)


def _cells(targets: Tensor, group: Codes) -> Tensor:
    return CLASSES * torch.tensor(group) + targets
