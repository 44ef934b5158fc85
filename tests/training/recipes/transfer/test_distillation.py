from __future__ import annotations

import re

import pytest
import torch
from torch import nn
from torch.nn import functional

from plumbline import artifacts, models
from plumbline.artifacts import ModelConfig
from plumbline.errors import ArtifactError
from plumbline.params.models import Optimisation
from plumbline.params.regularisation import Distillation
from plumbline.tasks.classify import ClassifierTask
from plumbline.training.recipes.transfer.distillation import (
    DistillationTask,
    load_teacher,
    softened_divergence,
)
from tests.training.conftest import OPTIMISATION


def test_the_divergence_is_that_of_the_softened_probabilities():
    outputs, aims = torch.tensor([[0.0, 0.0]]), torch.tensor([[2 * 1.0986122886681098, 0.0]])
    # Divided by 2, the teacher's logits are those of 3/4 and 1/4, the student's of 1/2 and 1/2.
    expected = 4 * (0.75 * torch.log(torch.tensor(1.5)) + 0.25 * torch.log(torch.tensor(0.5)))
    found = softened_divergence(outputs, aims, temperature=2.0)
    torch.testing.assert_close(found, expected)
    assert softened_divergence(aims, aims, temperature=3.0).item() == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("mixed", [False, True])
def test_the_loss_weighs_labels_and_teacher(mixed):
    torch.manual_seed(0)
    student, teacher = nn.Linear(3, 2), nn.Linear(3, 2)
    settings = Optimisation(**OPTIMISATION)
    task = DistillationTask(
        student,
        teacher=teacher,
        how=Distillation(teacher="x", weight=0.25, temperature=1.0),
        settings=settings,
    )
    inputs, targets = torch.randn(4, 3), torch.tensor([0, 1, 1, 0])
    rest = (targets.repeat(2), torch.ones(8)) if mixed else (targets,)
    outputs = student(inputs)
    labels = functional.cross_entropy(outputs, targets)
    aims = teacher(inputs).softmax(1)
    divergence = (aims * (aims.log() - outputs.log_softmax(1))).sum(1).mean()
    found = task.batch_loss(inputs, outputs, *rest)
    torch.testing.assert_close(found, 0.75 * labels + 0.25 * divergence)
    found.backward()
    assert teacher.weight.grad is None
    assert list(task.state_dict()) == list(ClassifierTask(student, settings=settings).state_dict())


@pytest.fixture
def teacher(tmp_path):
    arguments = {"architecture": "test_resnet", "outputs": 2, "image_size": 32, "channels": 1,
                 "mean": [0.5], "scale": [0.5]}  # fmt: skip
    network = models.build("timm", **arguments)
    config = ModelConfig(
        model="finetune_full", architecture="timm", arguments=arguments, kind="classification",
        dataset="images", source="x", classes=("a", "b"),
        inputs=({"name": "images", "dtype": "uint8", "shape": [-1, 1, 32, 32]},),
    )  # fmt: skip
    artifacts.save_model(tmp_path, network.state_dict(), config)
    return network.eval(), tmp_path


def test_a_teacher_is_restored_from_its_folder(teacher):
    network, folder = teacher
    found = load_teacher(folder, classes=("a", "b"), shape=(1, 32, 32)).eval()
    images = torch.arange(2 * 32 * 32, dtype=torch.uint8).reshape(2, 1, 32, 32)
    assert torch.equal(found(images), network(images))


@pytest.mark.parametrize(
    ("thing", "changes", "values"),
    [
        ("classes", {"classes": ("b", "a")}, "('b', 'a'), got ('a', 'b')"),
        ("images", {"shape": (1, 16, 16)}, "(1, 16, 16), got (1, 32, 32)"),
    ],
)
def test_a_teacher_of_other_classes_or_images_is_refused(teacher, thing, changes, values):
    _, folder = teacher
    message = (
        f"finetune.distillation: {thing} of the teacher {folder.as_posix()} must be those of the "
        f"student {values}; name another model"
    )
    with pytest.raises(ArtifactError, match=f"^{re.escape(message)}$"):
        load_teacher(folder, **{"classes": ("a", "b"), "shape": (1, 32, 32), **changes})
