"""Output heads in NumPy: sums by hand, and the targets that they refuse."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from plumbline.studies.feedforward.numpy_network.network import Network, gradients, predict


def one_layer(head: str, *, outputs: int) -> Network:
    """Return outputs 1·x, 2·x, … without bias."""
    weights = np.stack([np.arange(1.0, outputs + 1), np.zeros(outputs)], axis=1)
    return Network([weights], "relu", head)


def test_softmax_of_two_logits_by_hand() -> None:
    network, x = one_layer("multi_class", outputs=2), np.array([[1.0], [3.0]])
    first, second = 1 / (1 + math.e), 1 / (1 + math.e**3)  # probabilities of class 0
    assert predict(network, x)[:, 0] == pytest.approx([first, second])
    loss, (slope,) = gradients(network, x, np.array([0, 1]))
    assert loss == pytest.approx(-(math.log(first) + math.log(1 - second)) / 2)
    assert slope[0] == pytest.approx([(first - 1 + 3 * second) / 2, (first - 1 + second) / 2])


def test_sigmoid_of_a_logit_by_hand() -> None:
    network, x = one_layer("binary", outputs=1), np.array([[0.0], [2.0]])
    sure = 1 / (1 + math.exp(-2))
    assert predict(network, x)[:, 0] == pytest.approx([0.5, sure])
    loss, (slope,) = gradients(network, x, np.array([1, 0]))
    assert loss == pytest.approx(-(math.log(0.5) + math.log(1 - sure)) / 2)
    assert slope[0] == pytest.approx([2 * sure / 2, (0.5 - 1 + sure) / 2])


def test_squared_error_by_hand() -> None:
    network, x = one_layer("regression", outputs=2), np.array([[1.0], [2.0]])
    loss, (slope,) = gradients(network, x, np.array([[1.0, 0.0], [5.0, 4.0]]))
    assert loss == pytest.approx((0 + 2**2 + 3**2 + 0) / 2)
    assert slope.tolist() == [[-6.0, -3.0], [2.0, 2.0]]


@pytest.mark.parametrize(
    ("head", "outputs", "y", "message"),
    [
        ("multi_class", 3, [0, 3], "y must be codes in 0…2, got 0…3"),
        ("multi_class", 3, [0, 1, 2], "y must have a code for each of 2 rows, got (3,)"),
        ("binary", 1, [0, 2], "y must be codes in 0…1, got 0…2"),
        ("binary", 2, [0, 1], "a binary head must have 1 output, got 2"),
        ("regression", 2, [[1.0], [2.0]], "y must be (2, 2), got (2, 1)"),
    ],
)
def test_targets_that_do_not_fit_are_refused(
    head: str, outputs: int, y: list[float], message: str
) -> None:
    network = one_layer(head, outputs=outputs)
    with pytest.raises(ValueError, match=f"^scratch\\.network: {re.escape(message)}$"):
        gradients(network, np.zeros((2, 1)), np.array(y))
