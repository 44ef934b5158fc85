"""The small networks for digits of the studies on explanations and robustness."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from plumbline.models.cnn import ConvNet
from plumbline.models.layers import ScalePixels, seeded_weights

SIDE = 16  # pixels; the scanned digits have 8
CNN, FNN = "cnn", "fnn"
_BATCH = 32


def fit(
    kind: str, images: npt.ArrayLike | Tensor, targets: npt.ArrayLike | Tensor, *, epochs: int,
    rate: float, seed: int,
) -> nn.Module:  # fmt: skip
    """Return a network trained by AdamW with a cosine schedule, in evaluation mode.

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
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate)
    updates = epochs * -(-len(targets) // _BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        for rows in torch.split(torch.from_numpy(rng.permutation(len(targets))), _BATCH):
            optimizer.zero_grad()
            torch.autograd.backward(functional.cross_entropy(network(images[rows]), targets[rows]))
            optimizer.step()
            schedule.step()
    return network.eval().requires_grad_(False)


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
