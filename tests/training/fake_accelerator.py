"""Run what a fit does on an accelerator that is none: tensors without numbers, on a device "acc".

torch's fake tensors refuse to mix devices, as a real accelerator does, and to hand a number to the
host, which a real one does by waiting for all its work. The device is torch's hook for backends
written in Python; it lasts as long as the process, so this is a script. It prints what it ran.
"""

from __future__ import annotations

from types import SimpleNamespace

from plumbline.compat import torchvision

torchvision.install()

import torch  # noqa: E402
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily  # noqa: E402
from torch.utils.backend_registration import (  # noqa: E402
    _setup_privateuseone_for_python_backend as register,
)

from plumbline import models  # noqa: E402
from plumbline.models.gan import discriminator_loss, generator_loss, update_average  # noqa: E402
from plumbline.models.streams import Chunk  # noqa: E402
from plumbline.params.regularisation import Augmentation  # noqa: E402
from plumbline.tasks.classify import ClassifierTask, RegressionTask  # noqa: E402
from plumbline.tasks.language import LanguageTask  # noqa: E402
from plumbline.tasks.optimisation import add_l1_gradient  # noqa: E402
from plumbline.training.data_modules import perturb  # noqa: E402
from plumbline.training.data_modules.examples import Examples  # noqa: E402
from plumbline.training.data_modules.gan_images import StepBatches  # noqa: E402
from plumbline.training.engine import augment  # noqa: E402
from plumbline.training.engine.loaders import MemoryBatches  # noqa: E402
from plumbline.training.recipes.transfer.distillation import DistillationTask  # noqa: E402

DEVICE = "acc"
SETTINGS = SimpleNamespace(label_smoothing=0.1)
PIXELS = {"mean": [0.5] * 3, "scale": [0.25] * 3}


def build(name: str, **arguments: object) -> torch.nn.Module:
    with unset_fake_temporarily():  # `Module.to` cannot exchange fake tensors
        return models.build(name, **arguments)


def there(value: torch.Tensor) -> torch.Tensor:
    return torch.empty_strided(value.size(), value.stride(), dtype=value.dtype, device=DEVICE)


def moved(network: torch.nn.Module) -> torch.nn.Module:
    """Give the network fake weights on the device."""
    for module in network.modules():
        for name, value in module._parameters.items():
            if value is not None:
                module._parameters[name] = torch.nn.Parameter(there(value), value.requires_grad)
        for name, value in module._buffers.items():
            if value is not None:
                module._buffers[name] = there(value)
        if isinstance(module, torch.nn.RNNBase):
            module._flat_weights = [getattr(module, name) for name in module._flat_weights_names]
    return network


def update(network: torch.nn.Module, loss: torch.Tensor) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    loss.backward()
    add_l1_gradient(optimizer, 0.1)
    optimizer.step()


def supervised(task, batches) -> None:
    moved(task.network)
    batches.place(torch.device(DEVICE))
    for number, batch in enumerate(batches):
        assert {part.device.type for part in batch} == {DEVICE}
        update(task.network, task.training_step(batch, number))


def images(**augmentation) -> MemoryBatches:
    pixels = torch.zeros(12, 3, 32, 32, dtype=torch.uint8)
    none = {"shift": 0, "rotate": 0, "scale": 0, "mirror": False}
    change = augment.random_affine(Augmentation(**none | augmentation), seed=1)
    return MemoryBatches(pixels, torch.arange(12) % 4, batch_size=4, shuffle=True, transform=change)


def fnn() -> None:
    network = build("fnn", inputs=5, outputs=2, hidden=[8], activation="relu", dropout=0.1,
                    norm="batch", init="default")  # fmt: skip
    rows = MemoryBatches(torch.zeros(12, 5), torch.arange(12) % 2, weights=torch.ones(12),
                         batch_size=4, shuffle=True)  # fmt: skip
    supervised(ClassifierTask(network, settings=SETTINGS), rows)


def fnn_of_a_number() -> None:
    network = build("fnn", inputs=5, outputs=1, hidden=[8], activation="gelu", dropout=0.0,
                    norm="layer", init="default")  # fmt: skip
    rows = MemoryBatches(torch.zeros(12, 5), torch.zeros(12), batch_size=4, shuffle=True)
    supervised(RegressionTask(network, settings=SETTINGS, target_scale=2.0), rows)


def fnn_of_mixed_rows() -> None:
    network = build("fnn", inputs=5, outputs=2, hidden=[8], activation="relu", dropout=0.0,
                    drop_connect=0.2, norm="batch", init="default")  # fmt: skip
    rows = MemoryBatches(
        torch.zeros(12, 5), torch.arange(12) % 2, weights=torch.ones(12), batch_size=4,
        shuffle=True, transform=perturb.InputNoise(torch.ones(5), seed=1),
        mixup=lambda samples, epoch: (11 - samples, torch.empty(len(samples))),
    )  # fmt: skip
    supervised(ClassifierTask(network, settings=SETTINGS), rows)


def cnn_whose_images_are_cropped() -> None:
    network = build("cnn", image_size=32, image_channels=3, channels=[4, 8], feature_dim=8,
                    outputs=4, dropout=0.1, **PIXELS)  # fmt: skip
    supervised(ClassifierTask(network, settings=SETTINGS), images(shift=2, mirror=True))


def timm_whose_images_are_turned() -> None:
    network = build("timm", architecture="test_resnet", outputs=4, image_size=32, channels=3,
                    dropout=0.1, memory_format="channels_last", **PIXELS)  # fmt: skip
    batches = images(shift=1.5, rotate=10, scale=0.1, mirror=True)
    supervised(ClassifierTask(network, settings=SETTINGS), batches)


def timm_with_rectangles_and_a_teacher() -> None:
    made = [build("timm", architecture="test_resnet", outputs=4, image_size=32, channels=3,
                  **PIXELS) for _ in range(2)]  # fmt: skip
    how = SimpleNamespace(weight=0.5, temperature=2.0)
    task = DistillationTask(made[0], teacher=moved(made[1]), how=how, settings=SETTINGS)
    batches = images(shift=2)
    batches.mixup = lambda samples, epoch: (
        11 - samples, torch.empty(len(samples)), torch.empty(len(samples), 1, 32, 32),
    )  # fmt: skip
    supervised(task, batches)


def rnn() -> None:
    network = build("rnn", vocabulary_size=12, cell="lstm", embedding_dim=8, hidden_dim=16,
                    layers=2, dropout=0.1, tied=False)  # fmt: skip
    moved(network)
    text = torch.zeros(9, 4, dtype=torch.long).to(DEVICE)
    starts = torch.zeros(4, dtype=torch.bool).to(DEVICE)
    task = LanguageTask(network, settings=SETTINGS)
    for number in range(2):
        update(network, task.training_step(Chunk(text[:-1], text[1:], starts), number))


def gan() -> None:
    shape = {"image_size": 16, "channels": 1, "classes": 4, "base_channels": 4}
    made = (build("generator", latent_dim=6, **shape), build("generator", latent_dim=6, **shape),
            build("discriminator", spectral_norm=True, **shape))  # fmt: skip
    generator, average, discriminator = map(moved, made)
    pixels = torch.zeros(12, 1, 16, 16, dtype=torch.uint8)
    batches = StepBatches(Examples(pixels, torch.arange(12) % 4), batch_size=4, steps=4, seed=0)
    batches.place(torch.device(DEVICE))
    for real, labels in batches:
        assert {real.device.type, labels.device.type} == {DEVICE}
        fakes = generator(torch.randn(len(labels), 6, device=real.device), labels)
        scores = discriminator(real, labels), discriminator(fakes.detach(), labels)
        update(discriminator, discriminator_loss(*scores, kind="hinge"))
        update(generator, generator_loss(discriminator(fakes, labels), kind="hinge"))
        update_average(average, generator, decay=0.9)


if __name__ == "__main__":
    register(DEVICE)
    # Drawn on the CPU by NumPy, which knows no fake tensors.
    augment.uniform = lambda samples, *, draws, **_: torch.empty(len(samples), draws)
    perturb.normal = augment.uniform
    for work in (fnn, fnn_of_a_number, fnn_of_mixed_rows, cnn_whose_images_are_cropped,
                 timm_whose_images_are_turned, timm_with_rectangles_and_a_teacher, rnn,
                 gan):  # fmt: skip
        with FakeTensorMode():
            work()
        print(work.__name__)
