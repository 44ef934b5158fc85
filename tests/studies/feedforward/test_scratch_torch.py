"""NumPy, torch and Lightning: equal weights after a thousand epochs."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

from plumbline.params.feedforward import FeedforwardStudy
from plumbline.studies.feedforward import scratch_torch
from plumbline.studies.feedforward.numpy_network.network import initialise, predict, train

RUN = {"lr": 0.1, "epochs": 1000}


@pytest.mark.parametrize("library", ["torch", "Lightning"])
def test_weights_are_equal_after_a_thousand_epochs(library: str, quick: FeedforwardStudy) -> None:
    x, y = load_iris(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    network = initialise((4, 10, 3), activation="relu", head="multi_class", seed=42)
    start = copy.deepcopy(network)
    if library == "torch":
        theirs = scratch_torch.fit(start, x, y, **RUN)
    else:
        theirs = scratch_torch.fit_by_lightning(start, x, y, trainer=quick.scratch.trainer, **RUN)
    losses = train(network, x, y, **RUN)
    assert losses[-1] < 0.06 < 0.5 < losses[0]
    for mine, other in zip(network.layers, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("head", "outputs", "finish"),
    [
        ("binary", 1, torch.sigmoid),
        ("multi_class", 3, lambda z: z.softmax(1)),
        ("regression", 2, torch.clone),
    ],
)
def test_the_network_in_torch_predicts_the_same(
    head: str, outputs: int, finish: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    network = initialise((3, 5, 4, outputs), activation="gelu", head=head, seed=0)
    x = np.random.default_rng(0).standard_normal((6, 3))
    theirs = finish(scratch_torch.to_torch(network)(torch.from_numpy(x)))
    np.testing.assert_allclose(predict(network, x), theirs.detach(), rtol=0, atol=1e-14)
