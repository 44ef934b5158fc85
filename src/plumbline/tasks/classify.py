"""The supervised tasks: classification and regression with any network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional
from torchmetrics.functional import mean_squared_error
from torchmetrics.functional.classification import binary_auroc, multiclass_accuracy

from plumbline import names
from plumbline.metrics.scores import classification
from plumbline.params.models import Optimisation
from plumbline.tasks.epoch_mean import EpochMean
from plumbline.tasks.optimisation import add_l1_gradient, configure, parameter_groups

Batch = tuple[Tensor, ...]  # inputs, targets, and weights with a mean of 1 where there are any


class SupervisedTask(LightningModule, ABC):
    """Loss, optimiser and logging of a classifier or regressor.

    A batch has twice as many targets as inputs where rows are mixed (mixup): each output then has
    a loss for either target, by their weights.

    Logs ``train/loss``, ``learning_rate``, ``val/loss`` and the validation metrics of its kind once
    per epoch. Metrics are computed on the whole validation split, never averaged over batches.
    Weighted rows count by their weight in losses and metrics.

    Parameters
    ----------
    network : nn.Module
        Inputs → ``(N, K)`` logits, or ``(N, 1)`` values.
    settings : Optimisation
    lr_scale : callable
        Factor on the learning rate by the name of a parameter of ``network``.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        settings: Optimisation,
        lr_scale: Callable[[str], float] = lambda name: 1.0,
    ) -> None:
        super().__init__()
        self.network = network
        self.training_loss = EpochMean()
        self._settings = settings
        self._lr_scale = lr_scale
        self._outputs: list[Batch] = []

    @abstractmethod
    def loss(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None, *, training: bool
    ) -> Tensor:
        """Return the mean loss of a batch: the mean of loss × weight where rows are weighted.

        The sum is divided by the number of rows, not by the sum of weights: over an epoch the
        influence of a row is then proportional to its weight, whatever its batch.
        """

    @abstractmethod
    def validation_metrics(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the metrics of the whole validation split by name."""

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the mean loss of a batch; logging every step would double its cost."""
        inputs, *rest = batch
        loss = self.batch_loss(inputs, self.network(inputs), *rest)
        self.training_loss.update(loss.detach() * len(rest[0]), len(rest[0]))
        return loss

    def batch_loss(self, inputs: Tensor, outputs: Tensor, *rest: Tensor) -> Tensor:
        """Return the mean training loss of the outputs of a batch."""
        if len(rest[0]) > len(outputs):
            outputs = outputs.repeat(2, 1)
        return self.loss(outputs, *rest, training=True)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Add the L1 penalty, before gradients are clipped."""
        add_l1_gradient(optimizer, self._settings.l1)

    def on_train_epoch_end(self) -> None:
        """Log the mean training loss and the learning rate."""
        optimizer: Any = self.optimizers()
        values = {
            names.metric(names.TRAIN, names.LOSS): self.training_loss.compute(),
            names.LEARNING_RATE: max(group["lr"] for group in optimizer.param_groups),
        }
        self.training_loss.reset()
        self.log_dict(values, sync_dist=True)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep the outputs of the batch."""
        inputs, *rest = batch
        self._outputs.append((self.network(inputs), *rest))

    def on_validation_epoch_end(self) -> None:
        """Log loss and metrics of the whole validation split."""
        columns = [torch.cat(parts) for parts in zip(*self._outputs, strict=True)]
        self._outputs = []
        if self.trainer.world_size > 1:
            loader: Any = self.trainer.val_dataloaders
            columns = [interleave(column, len(loader.targets)) for column in columns]
        outputs, *rest = columns
        values = {
            names.LOSS: self.loss(outputs, *rest, training=False),
            **self.validation_metrics(outputs.float(), *rest),
        }
        values = {names.metric(names.VAL, name): value for name, value in values.items()}
        self.log_dict(values, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Return optimiser and learning rate schedule of the settings."""
        groups = parameter_groups(
            self.network.named_parameters(),
            lr=self._settings.lr,
            weight_decay=self._settings.weight_decay,
            lr_scale=self._lr_scale,
        )
        return configure(
            groups,
            self._settings,
            total_steps=int(self.trainer.estimated_stepping_batches),
            fused=self.trainer.precision != "16-mixed",
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the training loss of the epoch so far."""
        checkpoint["training_loss"] = self.training_loss.checkpoint()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue the training loss of the epoch."""
        self.training_loss.restore(checkpoint["training_loss"], self.device)


def interleave(part: Tensor, samples: int) -> Tensor:
    """Gather the rows of all processes in the order of the split, without the repeated ones.

    Parameters
    ----------
    part : Tensor
        ``(n, …)``, every ``world``-th row of the split, from the process's rank on.
    samples : int
        Rows of the split, at most ``n · world``.
    """
    parts = [torch.empty_like(part) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, part.contiguous())
    return torch.stack(parts, dim=1).flatten(0, 1)[:samples]


class ClassifierTask(SupervisedTask):
    """Cross-entropy over classes, smoothed in training only.

    Parameters
    ----------
    network, settings, lr_scale
        See `SupervisedTask`.
    class_weights : Tensor, optional
        ``(K,)``, see `plumbline.metrics.scores.imbalance.class_weights`. The weight of the label
        multiplies the whole loss of a row, smoothed as it is, and the weight of the row, in
        training and in validation: the best epoch is that of the loss which is minimised.
        Validation metrics do not use it.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        settings: Optimisation,
        lr_scale: Callable[[str], float] = lambda name: 1.0,
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__(network, settings=settings, lr_scale=lr_scale)
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", class_weights, persistent=False)

    def loss(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None, *, training: bool
    ) -> Tensor:
        """``(N, K)`` logits, ``(N,)`` codes and weights → mean cross-entropy, in nats."""
        if weights is None and self.class_weights is None:
            smoothing = self._settings.label_smoothing if training else 0.0
            return functional.cross_entropy(outputs, targets, label_smoothing=smoothing)
        return self.row_losses(outputs, targets, weights, training=training).mean()

    def row_losses(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None, *, training: bool
    ) -> Tensor:
        """Return the rows' shares ``(N,)`` of a loss, which is their mean."""
        smoothing = self._settings.label_smoothing if training else 0.0
        rows = functional.cross_entropy(
            outputs, targets, label_smoothing=smoothing, reduction="none"
        )
        if self.class_weights is not None:
            own = self.class_weights.to(targets.device)[targets]
            weights = own if weights is None else own * weights
        return rows if weights is None else rows * weights

    def validation_metrics(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return accuracy, balanced accuracy, and AUROC where there are two classes."""
        if weights is not None:
            return _weighted_metrics(outputs, targets, weights)
        classes = outputs.shape[1]
        options: Any = {"num_classes": classes, "validate_args": False}
        share = partial(multiclass_accuracy, outputs.argmax(1), targets, **options)
        occurs = torch.bincount(targets, minlength=classes) > 0
        found = {
            names.ACCURACY: share(average="micro"),
            # average="macro" counts a class without rows as a recall of 0 where it is predicted.
            names.BALANCED_ACCURACY: share(average="none")[occurs].mean(),
        }
        if classes == 2 and bool(occurs.all()):  # torchmetrics returns 0 where it is undefined
            scores = (outputs[:, 1] - outputs[:, 0]).sigmoid()
            found[names.AUROC] = binary_auroc(scores, targets, validate_args=False)
        return found


def _weighted_metrics(outputs: Tensor, targets: Tensor, weights: Tensor) -> dict[str, Tensor]:
    # The classification metrics of torchmetrics take no weights of rows.
    true, decided = (codes.cpu().numpy() for codes in (targets, outputs.argmax(1)))
    column, classes = weights.cpu().double().numpy()[:, None], outputs.shape[1]
    found = {
        names.ACCURACY: classification.accuracy(true, decided, weights=column),
        names.BALANCED_ACCURACY: classification.balanced_accuracy(
            true, decided, classes=classes, weights=column
        ),
    }
    if classes == 2:
        score = (outputs[:, 1] - outputs[:, 0]).sigmoid().cpu().numpy()
        area = classification.binary_auroc(true == 1, score, weights=column)
        if not np.isnan(area):
            found[names.AUROC] = area
    return {name: outputs.new_tensor(value.item()) for name, value in found.items()}


class RegressionTask(SupervisedTask):
    """Mean squared error, in units of the training targets' variance.

    Parameters
    ----------
    network, settings, lr_scale
        See `SupervisedTask`.
    target_scale : float
        Standard deviation of the training targets; 1 is the loss of predicting their mean.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        settings: Optimisation,
        target_scale: float,
        lr_scale: Callable[[str], float] = lambda name: 1.0,
    ) -> None:
        super().__init__(network, settings=settings, lr_scale=lr_scale)
        self._target_scale = target_scale

    def loss(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None, *, training: bool
    ) -> Tensor:
        """``(N, 1)`` values, ``(N,)`` targets and weights → mean squared error / variance."""
        return self.row_losses(outputs, targets, weights, training=training).mean()

    def row_losses(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None, *, training: bool
    ) -> Tensor:
        """Return the rows' shares ``(N,)`` of a loss, which is their mean."""
        squares = ((outputs.squeeze(1) - targets) / self._target_scale).square()
        return squares if weights is None else squares * weights

    def validation_metrics(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the root mean squared error in the targets' units."""
        values = outputs.squeeze(1)
        if weights is None:
            return {names.RMSE: _square_root(mean_squared_error(values, targets))}
        # The mean squared error of torchmetrics takes no weights of rows.
        squares = (values - targets).square()
        return {names.RMSE: _square_root((squares * weights).sum() / weights.sum())}


def _square_root(x: Tensor) -> Tensor:
    # On a CPU torch.sqrt is that of MKL, which for portable kernels improves the processor's own
    # approximation of 1/√x: Intel's and AMD's differ.
    return x.rsqrt().reciprocal()
