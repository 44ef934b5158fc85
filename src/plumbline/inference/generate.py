"""Images of a restored generator."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from plumbline.artifacts import ModelConfig
from plumbline.errors import ArtifactError
from plumbline.inference.restore import restore
from plumbline.models.gan import Generator

BATCH = 256

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


def generate(
    model_folder: Path, *, n: int, seed: int, labels: npt.ArrayLike | None = None
) -> tuple[Images, Labels]:
    """Return ``n`` generated images and the requested class of each.

    Parameters
    ----------
    model_folder : Path
    n : int
    seed : int
        Seed of all latent numbers; sample i does not depend on ``n``.
    labels : (n,) int array_like, optional
        Requested class codes, for example those of the real images that the samples are compared
        with. By default every class in turn.

    Returns
    -------
    images : ndarray of uint8, (n, C, S, S)
    labels : ndarray of int64, (n,)

    Raises
    ------
    ArtifactError
        If the folder holds no generator.
    ValueError
        If ``n`` is not positive, or the labels are not ``n`` codes of its classes.
    """
    network, _ = restore_generator(model_folder)
    requested = _requested(n, network.classes, labels)
    return sample(network, requested, seed=seed), requested


def restore_generator(model_folder: Path) -> tuple[Generator, ModelConfig]:
    """Return the generator of a model folder and its config.

    Raises
    ------
    ArtifactError
        If the folder holds no generator.
    """
    network, config = restore(model_folder)
    if not isinstance(network, Generator):
        raise ArtifactError(
            f"{model_folder.name}: architecture must be generator, got {config.architecture!r}"
        )
    return network, config


def sample(network: Generator, labels: Labels, *, seed: int) -> Images:
    """Return an image uint8 ``(C, S, S)`` for each class code ``(N,)``; see `generate`."""
    latent = np.random.default_rng(seed).standard_normal((len(labels), network.latent_dim))
    return render(network, torch.from_numpy(latent), torch.from_numpy(labels))


@torch.inference_mode()
def render(network: Generator, latent: Tensor, labels: Tensor) -> Images:
    """Return images uint8 ``(N, C, S, S)`` from ``(N, Z)`` and class codes ``(N,)``.

    Computed in double precision: batch size, threads and processor change the last digits of a
    convolution, and in single precision now and then a pixel.
    """
    network = copy.deepcopy(network).double().eval()
    found = []
    for z, y in zip(torch.split(latent.double(), BATCH), torch.split(labels, BATCH), strict=True):
        pixels = network(z, y)
        found.append(((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy())
    return np.concatenate(found)


def _requested(n: int, classes: int, labels: npt.ArrayLike | None) -> Labels:
    if n < 1:
        raise ValueError(f"generate: n must be >= 1, got {n}")
    if labels is None:
        return np.arange(n, dtype=np.int64) % classes
    requested = np.asarray(labels)
    if requested.shape != (n,) or not np.issubdtype(requested.dtype, np.integer):
        raise ValueError(
            f"generate: labels must be {n} class codes, got {requested.dtype} {requested.shape}"
        )
    low, high = requested.min(), requested.max()
    if low < 0 or high >= classes:
        raise ValueError(f"generate: labels must be codes in 0…{classes - 1}, got {low}…{high}")
    return requested.astype(np.int64)
