"""Train equal networks from many seeds, and one that is too small: the laboratory's control.

The network is the chapter's for Iris: ReLU units, softmax, full-batch gradient descent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.studies.feedforward.numpy_network import network as numpy_network
from plumbline.studies.feedforward.numpy_network.activations import Floats
from plumbline.studies.feedforward.numpy_network.heads import Targets

if TYPE_CHECKING:
    import pandas as pd

UNITS = {"ten units": 10, "ten units again": 10, "one unit": 1}


def run(options: Any, seed: int, progress: Callable[[int, int, str], None]) -> pd.DataFrame:
    """Return loss and accuracy on the training data per setting and seed.

    Parameters
    ----------
    options : ControlParams
    seed : int
    progress : callable
        Takes the number of seeds done, their total, and a text.

    Returns
    -------
    DataFrame
        ``network, seed, loss`` (nats) and ``accuracy``. Every setting draws its own starts.
    """
    import pandas as pd

    x, y = iris()
    rows = []
    for number in range(options.seeds):
        for order, (name, units) in enumerate(UNITS.items()):
            start = int(np.random.SeedSequence([seed, number, order]).generate_state(1)[0])
            found = fit(x, y, units=units, lr=options.lr, epochs=options.epochs, seed=start)
            rows.append((name, number, *found))
        progress(number + 1, options.seeds, f"seed {number}")
    return pd.DataFrame(rows, columns=["network", "seed", "loss", "accuracy"])


def iris() -> tuple[Floats, Targets]:
    """Return the standardised measurements of Iris, (150, 4), and the classes."""
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    return (x - x.mean(axis=0)) / x.std(axis=0), y


def fit(
    x: Floats, y: Targets, *, units: int, lr: float, epochs: int, seed: int
) -> tuple[float, float]:
    """Return the loss before the last step, in nats, and the accuracy after it."""
    network = numpy_network.initialise(
        (4, units, 3), activation="relu", head="multi_class", seed=seed
    )
    losses = numpy_network.train(network, x, y, lr=lr, epochs=epochs)
    right = numpy_network.predict(network, x).argmax(axis=1) == y
    return float(losses[-1]), float(right.mean())
