"""The generator on images that are no digits: a coloured folder, and MNIST's files."""

import pytest
import torch

from plumbline import models
from plumbline.data.images.prepare import prepare
from tests.data.images.test_sources import chosen, own, write_folder, write_mnist
from tests.training.recipes.test_adversarial import fitted


def folder_images(root):
    """60 coloured pictures of two classes: fewer in the training split than a batch asks for."""
    write_folder(root)
    return prepare(own(mode="rgb"), root=root, seed=1)


def mnist_images(root):
    write_mnist(root, "mnist")
    return prepare(chosen("mnist"), root=root, seed=1)


@pytest.mark.parametrize(
    ("prepare", "classes", "channels"), [(folder_images, 2, 3), (mnist_images, 10, 1)]
)
def test_a_few_steps_leave_a_generator_of_the_sources_classes_and_colours(
    tmp_path, prepare, classes, channels
):
    prepare(tmp_path).write(tmp_path / "images")
    found = fitted(tmp_path / "images", tmp_path / "work", steps=3, batch_size=64, log_every=1)
    assert len(found.history.rows) == 3
    assert found.config.arguments["classes"] == classes
    restored = models.build(found.config.architecture, **found.config.arguments)
    latent = torch.zeros(classes, found.config.arguments["latent_dim"])
    assert restored(latent, torch.arange(classes)).shape == (classes, channels, 16, 16)
