"""Labels that a sample's nearest neighbours contradict: candidates for a second look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

CHUNK = 2_000_000  # distances held at once


def disputed(
    vectors: Floats, labels: Codes, *, neighbours: int, entities: Sequence[str] | None = None
) -> tuple[npt.NDArray[np.bool_], Codes]:
    """Return which labels are disputed, ``(N,)``, and what the neighbours say instead, ``(N,)``.

    A label is disputed if more than half of the sample's ``neighbours`` nearest samples (without
    those of its own entity) carry one and the same other label. That is a reason to look, not a
    proof that it is wrong.
    """
    codes = np.unique(np.asarray(entities, dtype=object).astype(str), return_inverse=True)[1] \
        if entities is not None else np.arange(len(labels))  # fmt: skip
    squares = (vectors**2).sum(axis=1)
    k = min(neighbours, len(labels) - 1)
    classes = int(labels.max()) + 1
    said = np.empty(len(labels), dtype=np.int64)
    votes = np.empty(len(labels), dtype=np.int64)
    step = max(CHUNK // len(labels), 1)
    for start in range(0, len(labels), step):
        part = slice(start, start + step)
        distance = squares[part, None] + squares - 2 * vectors[part] @ vectors.T
        distance[codes[part, None] == codes[None, :]] = np.inf
        near = np.argpartition(distance, k - 1, axis=1)[:, :k]
        tally = np.zeros((len(near), classes), dtype=np.int64)
        usable = np.isfinite(np.take_along_axis(distance, near, axis=1))
        np.add.at(tally, (np.repeat(np.arange(len(near)), k), labels[near].ravel()), usable.ravel())
        said[part], votes[part] = tally.argmax(axis=1), tally.max(axis=1)
    return (said != labels) & (2 * votes > k), said
