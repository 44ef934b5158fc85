"""Distillation: learn the labels, and the probabilities of a teacher on the same augmented images.

"Distilling the Knowledge in a Neural Network", Hinton, Vinyals and Dean 2015, section 2; the
teacher sees what the student sees ("Knowledge distillation: A good teacher is patient and
consistent", Beyer et al. 2022).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from plumbline import artifacts, models
from plumbline.artifacts import ModelConfig
from plumbline.errors import ArtifactError
from plumbline.params.regularisation import Distillation
from plumbline.tasks.classify import ClassifierTask


class DistillationTask(ClassifierTask):
    """A classifier's task whose loss has a term of the teacher's probabilities.

    Parameters
    ----------
    network : nn.Module
    teacher : nn.Module
        Images → logits of the same classes; it is neither trained nor kept.
    how : Distillation
    **options
        See `ClassifierTask`.
    """

    def __init__(
        self, network: nn.Module, *, teacher: nn.Module, how: Distillation, **options: Any
    ) -> None:
        super().__init__(network, **options)
        self._teacher = [teacher.eval().requires_grad_(False)]  # in a list: not in the state
        self._how = how

    def on_fit_start(self) -> None:
        """Put the teacher where the student is, in its precision."""
        student = next(self.network.parameters())
        self._teacher[0].to(student.device, student.dtype)

    def batch_loss(self, inputs: Tensor, outputs: Tensor, *rest: Tensor) -> Tensor:
        """Return the weighted mean of the loss of the labels and that of the teacher."""
        labels = super().batch_loss(inputs, outputs, *rest)
        with torch.no_grad():
            aims = self._teacher[0](inputs)
        share = self._how.weight
        return (1 - share) * labels + share * softened_divergence(
            outputs, aims, temperature=self._how.temperature
        )


def softened_divergence(outputs: Tensor, aims: Tensor, *, temperature: float) -> Tensor:
    """Return ``T² · KL(teacher ‖ student)`` of logits ``(N, K)`` divided by ``T``, in nats.

    The factor keeps the size of gradients when the temperature changes.
    """
    student, teacher = (
        functional.log_softmax(logits / temperature, dim=1) for logits in (outputs, aims)
    )
    divergence = functional.kl_div(student, teacher, reduction="batchmean", log_target=True)
    return temperature**2 * divergence


def load_teacher(folder: Path, *, classes: tuple[str, ...], shape: tuple[int, ...]) -> nn.Module:
    """Return the network of a model folder.

    Parameters
    ----------
    folder : Path
    classes : tuple of str
        Of the student.
    shape : tuple of int
        ``(C, H, W)`` of the student's images.

    Raises
    ------
    ArtifactError
        If the model has other classes, or takes other images.
    """
    config = ModelConfig.read(folder)
    takes = tuple(config.inputs[0]["shape"][1:]) if config.inputs else ()
    for thing, found, wanted in (("classes", config.classes, classes), ("images", takes, shape)):
        if tuple(found) != tuple(wanted):
            raise ArtifactError(
                f"finetune.distillation: {thing} of the teacher {folder.as_posix()} must be those "
                f"of the student {wanted}, got {tuple(found)}; name another model"
            )
    network = models.build(config.architecture, **config.arguments)
    weights = artifacts.load_weights(folder)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return network
