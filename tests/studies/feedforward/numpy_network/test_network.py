"""The hand-written network: gradients, the textbook form, torch."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from plumbline.studies.feedforward.numpy_network.heads import HEADS
from plumbline.studies.feedforward.numpy_network.network import (
    Network,
    gradients,
    initialise,
    predict,
    train,
)

LR, EPOCHS = 0.1, 1000


@pytest.fixture(scope="module")
def iris() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    x, y = load_iris(return_X_y=True)
    x, test, y, expected = train_test_split(x, y, test_size=0.2, random_state=42, stratify=y)
    scaler = StandardScaler().fit(x)
    return scaler.transform(x), scaler.transform(test), y, expected


def build() -> Network:
    return initialise((4, 10, 3), activation="relu", head="multi_class", seed=42)


def row_by_row(network: Network, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The same descent with samples in rows and biases apart, as textbooks write it."""
    (w1, b1), (w2, b2) = ((w[:, :-1].T.copy(), w[:, -1].copy()) for w in network.layers)
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


def test_a_step_is_the_rate_times_the_gradient(iris: tuple[np.ndarray, ...]) -> None:
    x, _, y, _ = iris
    moved = build()
    losses = train(moved, x, y, lr=0.5, epochs=1)
    loss, slopes = gradients(build(), x, y)
    assert losses.tolist() == [loss]
    for before, after, slope in zip(build().layers, moved.layers, slopes, strict=True):
        np.testing.assert_allclose(before - after, 0.5 * slope, rtol=0, atol=1e-15)


def test_equal_seeds_give_equal_weights_of_the_variance_of_he() -> None:
    sizes = (400, 300, 1)
    one, same, other = (
        initialise(sizes, activation="tanh", head="regression", seed=seed) for seed in (3, 3, 4)
    )
    assert [w.shape for w in one.layers] == [(300, 401), (1, 301)]
    for mine, equal, different in zip(one.layers, same.layers, other.layers, strict=True):
        np.testing.assert_array_equal(mine, equal)
        assert np.abs(mine - different)[:, :-1].min() > 0
        assert (mine[:, -1] == 0).all()
    assert one.layers[0][:, :-1].var() == pytest.approx(2 / 400, rel=0.02)


@pytest.mark.parametrize("head", HEADS)
def test_predictions_do_not_depend_on_the_other_samples(head: str) -> None:
    network = initialise((3, 5, 4, 1), activation="silu", head=head, seed=0)
    x = np.random.default_rng(0).standard_normal((6, 3))
    whole = predict(network, x)
    assert whole.shape == (6, 1)
    np.testing.assert_allclose(whole[2:3], predict(network, x[2:3]), rtol=0, atol=1e-15)


def test_a_linear_network_finds_the_least_squares_solution() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 3)), rng.standard_normal((50, 2))
    network = initialise((3, 2), activation="identity", head="regression", seed=0)
    losses = train(network, x, y, lr=0.1, epochs=500)
    design = np.hstack([x, np.ones((50, 1))])
    expected, squares, *_ = np.linalg.lstsq(design, y, rcond=None)
    np.testing.assert_allclose(network.layers[0], expected.T, rtol=0, atol=1e-12)
    assert losses[-1] == pytest.approx(squares.sum() / 50, abs=1e-12)


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
    layers = [np.array([[0.0, 1.0]]), np.array([[1000.0, 0.0], [0.0, 0.0]])]
    network = Network(layers, "relu", "multi_class")
    losses = train(network, np.zeros((1, 1)), np.array([1]), lr=0.0, epochs=1)
    assert losses[0] == pytest.approx(10 * np.log(10))


def test_inputs_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^scratch\.network: x must be \(n, 4\), got \(2, 5\)$"):
        train(build(), np.zeros((2, 5)), np.array([0, 1]), lr=LR, epochs=1)
