"""Images drawn from the generator."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from plumbline.errors import ArtifactError
from plumbline.inference.restore import restore
from plumbline.models.gan import Generator

BATCH = 256

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


def generate(
    model_folder: Path, *, n: int, seed: int, labels: npt.ArrayLike | None = None,
    batch_size: int = BATCH,
) -> tuple[Images, Labels]:  # fmt: skip
    """Return ``n`` generated images and the class each was asked to show.

    Parameters
    ----------
    model_folder : Path
    n : int
    seed : int
        Seed of all latent numbers; sample i does not depend on ``n``.
    labels : (n,) int array_like, optional
        Class codes asked for, e.g. those of the real images the samples are held against. By
        default every class in turn.
    batch_size : int
        Changes memory and speed, not the images.

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
    network, config = restore(model_folder)
    if not isinstance(network, Generator):
        raise ArtifactError(
            f"{model_folder.name}: architecture must be generator, got {config.architecture!r}"
        )
    asked = _asked(n, network.classes, labels)
    latent = np.random.default_rng(seed).standard_normal((n, network.latent_dim))
    images = render(
        network, torch.from_numpy(latent), torch.from_numpy(asked), batch_size=batch_size
    )
    return images, asked


@torch.inference_mode()
def render(
    network: Generator, latent: Tensor, labels: Tensor, *, batch_size: int = BATCH
) -> Images:
    """Return images uint8 ``(N, C, S, S)`` from ``(N, Z)`` and class codes ``(N,)``.

    Computed in double precision: batch size, threads and processor change the last digits of a
    convolution, and in single precision now and then a pixel.
    """
    network = copy.deepcopy(network).double().eval()
    found = []
    pairs = zip(
        torch.split(latent.double(), batch_size), torch.split(labels, batch_size), strict=True
    )
    for z, y in pairs:
        pixels = network(z, y)
        found.append(((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy())
    return np.concatenate(found)


def _asked(n: int, classes: int, labels: npt.ArrayLike | None) -> Labels:
    if n < 1:
        raise ValueError(f"generate: n must be >= 1, got {n}")
    if labels is None:
        return np.arange(n, dtype=np.int64) % classes
    asked = np.asarray(labels)
    if asked.shape != (n,) or not np.issubdtype(asked.dtype, np.integer):
        raise ValueError(
            f"generate: labels must be {n} class codes, got {asked.dtype} {asked.shape}"
        )
    if asked.min() < 0 or asked.max() >= classes:
        raise ValueError(
            f"generate: labels must be codes in 0…{classes - 1}, got {asked.min()}…{asked.max()}"
        )
    return asked.astype(np.int64)
