"""Labels that contradict those of the nearest neighbours: candidates for a second look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

CHUNK = 2_000_000  # distances held at once


def disputed_labels(
    vectors: Floats, labels: Codes, *, neighbours: int, entities: Sequence[str] | None = None
) -> tuple[npt.NDArray[np.bool_], Codes]:
    """Return which labels are disputed, ``(N,)``, and the neighbours' most frequent one, ``(N,)``.

    A label is disputed if more than half of the sample's nearest neighbours carry one and the same
    other label. This is a reason to check it, not a proof that it is wrong.

    Parameters
    ----------
    vectors : array (N, D)
    labels : int array (N,)
    neighbours : int
        Nearest samples that are counted.
    entities : sequence of str, optional
        Samples of the same entity are not counted.
    """
    codes: Codes = np.arange(len(labels))
    if entities is not None:
        codes = np.unique(np.asarray(entities, dtype=object).astype(str), return_inverse=True)[1]
    squares = (vectors**2).sum(axis=1)
    k = min(neighbours, len(labels) - 1)
    classes = int(labels.max()) + 1
    majority = np.empty(len(labels), dtype=np.int64)
    votes = np.empty(len(labels), dtype=np.int64)
    step = max(CHUNK // len(labels), 1)
    for start in range(0, len(labels), step):
        part = slice(start, start + step)
        distance = squares[part, None] + squares - 2 * vectors[part] @ vectors.T
        distance[codes[part, None] == codes[None, :]] = np.inf
        near = np.argpartition(distance, k - 1, axis=1)[:, :k]
        counts = np.zeros((len(near), classes), dtype=np.int64)
        counted = np.isfinite(np.take_along_axis(distance, near, axis=1)).ravel()
        np.add.at(counts, (np.repeat(np.arange(len(near)), k), labels[near].ravel()), counted)
        majority[part], votes[part] = counts.argmax(axis=1), counts.max(axis=1)
    return (majority != labels) & (2 * votes > k), majority
