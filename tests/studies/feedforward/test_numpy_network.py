"""The hand-written network: gradients, the textbook form, torch."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from plumbline.studies.feedforward.numpy_network import Network, initialise, predict, train

LR, EPOCHS = 0.1, 1000


@pytest.fixture(scope="module")
def iris() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    x, y = load_iris(return_X_y=True)
    x, test, y, expected = train_test_split(x, y, test_size=0.2, random_state=42, stratify=y)
    scaler = StandardScaler().fit(x)
    return scaler.transform(x), scaler.transform(test), y, expected


def build() -> Network:
    return initialise(inputs=4, hidden=10, classes=3, seed=42)


def row_by_row(network: Network, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The same descent with samples in rows and biases apart, as textbooks write it."""
    w1, b1 = network.hidden[:, :-1].T.copy(), network.hidden[:, -1].copy()
    w2, b2 = network.output[:, :-1].T.copy(), network.output[:, -1].copy()
    truth, losses = np.eye(3)[y], []
    for _ in range(EPOCHS):
        z = x @ w1 + b1
        a = np.maximum(z, 0)
        odds = np.exp(a @ w2 + b2)
        p = odds / odds.sum(axis=1, keepdims=True)
        losses.append(-np.log((p * truth).sum(axis=1)).mean())
        d2 = (p - truth) / len(x)
        d1 = (d2 @ w2.T) * (z > 0)
        w2, b2 = w2 - LR * a.T @ d2, b2 - LR * d2.sum(axis=0)
        w1, b1 = w1 - LR * x.T @ d1, b1 - LR * d1.sum(axis=0)
    return np.array(losses)


def test_the_loss_curve_is_that_of_the_textbook_form(iris: tuple[np.ndarray, ...]) -> None:
    x, _, y, _ = iris
    network = build()
    expected = row_by_row(network, x, y)
    np.testing.assert_allclose(
        train(network, x, y, lr=LR, epochs=EPOCHS), expected, rtol=0, atol=1e-12
    )
    assert expected[-1] < 0.06 < 0.5 < expected[0]


def test_the_step_is_the_gradient_of_finite_differences(iris: tuple[np.ndarray, ...]) -> None:
    x, _, y, _ = iris
    start, moved = build(), build()
    train(moved, x, y, lr=1.0, epochs=1)
    for name in ("hidden", "output"):
        gradient = getattr(start, name) - getattr(moved, name)
        for place in np.ndindex(gradient.shape):
            losses = []
            for change in (1e-6, -1e-6):
                probe = build()
                getattr(probe, name)[place] += change
                losses.append(train(probe, x, y, lr=0.0, epochs=1)[0])
            assert gradient[place] == pytest.approx((losses[0] - losses[1]) / 2e-6, abs=1e-8)


def test_weights_equal_those_of_torch_after_a_thousand_epochs(
    iris: tuple[np.ndarray, ...],
) -> None:
    import torch

    from plumbline.models.fnn import FeedForward

    x, _, y, _ = iris
    network = build()
    peer = FeedForward(
        inputs=4, outputs=3, hidden=[10], activation="relu", dropout=0.0, norm="none",
        init="default",
    ).double()  # fmt: skip
    linears = {"hidden": peer.body[0], "output": peer.head}
    for name, linear in linears.items():
        weights = torch.from_numpy(getattr(network, name).copy())
        linear.weight.data, linear.bias.data = weights[:, :-1], weights[:, -1]
    descent = torch.optim.SGD(peer.parameters(), lr=LR)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(EPOCHS):
        descent.zero_grad()
        torch.nn.functional.cross_entropy(peer(inputs), targets).backward()
        descent.step()
    train(network, x, y, lr=LR, epochs=EPOCHS)
    for name, linear in linears.items():
        found = getattr(network, name)
        np.testing.assert_allclose(found[:, :-1], linear.weight.detach(), rtol=0, atol=1e-12)
        np.testing.assert_allclose(found[:, -1], linear.bias.detach(), rtol=0, atol=1e-12)


def test_thirty_held_out_flowers_are_told_apart_but_for_two(
    iris: tuple[np.ndarray, ...],
) -> None:
    x, test, y, expected = iris
    network = build()
    train(network, x, y, lr=LR, epochs=EPOCHS)
    probabilities = predict(network, test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    assert (probabilities.argmax(axis=1) == expected).sum() >= 28


def test_the_loss_of_a_sure_mistake_is_cut_off() -> None:
    network = Network(np.array([[0.0, 1.0]]), np.array([[1000.0, 0.0], [0.0, 0.0]]))
    losses = train(network, np.zeros((1, 1)), np.array([1]), lr=0.0, epochs=1)
    assert losses[0] == pytest.approx(10 * np.log(10))


def test_a_class_without_an_output_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^scratch\.network: y must be codes in 0…2, got 0…3$"):
        train(build(), np.zeros((2, 4)), np.array([0, 3]), lr=LR, epochs=1)


def test_inputs_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"x must be \(n, 4\) with a class for each row, got"):
        train(build(), np.zeros((2, 5)), np.array([0, 1]), lr=LR, epochs=1)
