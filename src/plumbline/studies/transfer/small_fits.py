"""The small networks for digits of the studies on explanations and robustness."""

from __future__ import annotations

import numpy.typing as npt
import torch
from torch import Tensor, nn

from plumbline.models.cnn import ConvNet
from plumbline.models.layers import ScalePixels, seeded_weights
from plumbline.studies.transfer import tuning
from plumbline.studies.transfer.tuning import SIDE

CNN, FNN = "cnn", "fnn"


def fit(
    kind: str, images: npt.ArrayLike | Tensor, targets: npt.ArrayLike | Tensor, *, epochs: int,
    rate: float, seed: int,
) -> nn.Module:  # fmt: skip
    """Return a network trained by `tuning.fit`, in evaluation mode.

    Parameters
    ----------
    kind : {'cnn', 'fnn'}
    images, targets : array or Tensor
        Bytes ``(N, 1, S, S)`` and classes ``(N,)``.
    seed : int
        Of initial weights and order.
    """
    images, targets = torch.as_tensor(images), torch.as_tensor(targets)
    with seeded_weights(seed):
        network = _convolutional() if kind == CNN else _feed_forward()
    updates = epochs * -(-len(targets) // tuning.BATCH)
    trained = tuning.fit(network, images, targets, updates=updates, rate=rate, seed=seed).network
    return trained.requires_grad_(False)  # type: ignore[no-any-return]


@torch.no_grad()
def probabilities(network: nn.Module, images: Tensor) -> Tensor:
    """Return class probabilities in double precision, ``(N, K)``."""
    found: Tensor = network(images).double().softmax(dim=1)
    return found


def _convolutional() -> nn.Module:
    return ConvNet(
        image_size=SIDE, image_channels=1, channels=(8, 16), feature_dim=32, outputs=10,
        dropout=0.0, mean=(0.3,), scale=(0.35,),
    ).train()  # fmt: skip


def _feed_forward() -> nn.Module:
    return nn.Sequential(
        ScalePixels(mean=(0.3,), scale=(0.35,)), nn.Flatten(), nn.Linear(SIDE**2, 64), nn.ReLU(),
        nn.Linear(64, 10),
    )  # fmt: skip
