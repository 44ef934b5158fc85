"""The hand-written network on Iris: 1,000 epochs on 120 flowers, beside three other ways."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator

import numpy as np
import torch
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from plumbline.studies.feedforward.numpy_network.network import Network, initialise, train

import measure
from measure import Row, faster, take_turns

LR, EPOCHS = 0.1, 1000


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ConvergenceWarning)
    x, y = load_iris(return_X_y=True)
    keep = np.arange(150) % 5 > 0
    x, y = StandardScaler().fit_transform(x[keep]), y[keep]
    start = initialise((4, 10, 3), activation="relu", head="multi_class", seed=42)

    def ours() -> np.ndarray:
        return train(copy.deepcopy(start), x, y, lr=LR, epochs=EPOCHS)

    peers = {
        "the chapter's form: rows, biases apart": (lambda: textbook(start, x, y), 2),
        "scikit-learn's MLPClassifier": (lambda: scikit_learn(x, y), 3),
        "torch, eager, float64": (lambda: eager(start, x, y), 5),
    }
    np.testing.assert_allclose(textbook(start, x, y), ours(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(eager(start, x, y), ours(), rtol=0, atol=1e-12)
    turns = take_turns(ours, *(work for work, _ in peers.values()), turns=9)
    for which, (peer, (_, goal)) in enumerate(peers.items(), start=1):
        same = "its own initialisation" if "scikit" in peer else "same loss curve to 1e-12"
        yield faster(
            18, "NumPy network, loss every epoch", "4-10-3, 120 rows, 1,000 epochs", peer, turns,
            which=which, goal=goal, note=f"1 thread; {same}",
        )  # fmt: skip


def textbook(start: Network, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    (w1, b1), (w2, b2) = ((w[:, :-1].T.copy(), w[:, -1:].T.copy()) for w in start.layers)
    truth, losses, m = np.eye(3)[y], [], len(x)
    for _ in range(EPOCHS):
        z1 = np.dot(x, w1) + b1
        a1 = np.maximum(0, z1)
        z2 = np.dot(a1, w2) + b2
        odds = np.exp(z2 - np.max(z2, axis=1, keepdims=True))
        p = odds / np.sum(odds, axis=1, keepdims=True)
        losses.append(-np.sum(truth * np.log(np.clip(p, 1e-10, 1 - 1e-10))) / m)
        d2 = p - truth
        d1 = np.dot(d2, w2.T) * (z1 > 0).astype(float)
        g2, gb2 = np.dot(a1.T, d2) / m, np.sum(d2, axis=0, keepdims=True) / m
        g1, gb1 = np.dot(x.T, d1) / m, np.sum(d1, axis=0, keepdims=True) / m
        w1 -= LR * g1
        b1 -= LR * gb1
        w2 -= LR * g2
        b2 -= LR * gb2
    return np.array(losses)


def scikit_learn(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    model = MLPClassifier(
        (10,), solver="sgd", alpha=0.0, batch_size=len(x), learning_rate_init=LR, momentum=0.0,
        max_iter=EPOCHS, tol=0.0, n_iter_no_change=EPOCHS, random_state=0,
    )  # fmt: skip
    return np.array(model.fit(x, y).loss_curve_)


def eager(start: Network, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    network = torch.nn.Sequential(torch.nn.Linear(4, 10), torch.nn.ReLU(), torch.nn.Linear(10, 3))
    network.double()
    for layer, weights in zip((network[0], network[2]), start.layers, strict=True):
        layer.weight.data = torch.tensor(weights[:, :-1])
        layer.bias.data = torch.tensor(weights[:, -1])
    descent = torch.optim.SGD(network.parameters(), lr=LR)
    inputs, targets, losses = torch.from_numpy(x), torch.from_numpy(y), []
    for _ in range(EPOCHS):
        descent.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(inputs), targets)
        loss.backward()
        descent.step()
        losses.append(loss.item())
    return np.array(losses)


if __name__ == "__main__":
    measure.main(rows, __doc__)
