"""Random numbers as a function of a name: of a seed, a sample id and a purpose."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def uniforms(name: str, count: int) -> Floats:
    """Return ``count`` numbers in [0, 1) that are a function of ``name`` (SHAKE-256 of it)."""
    words = np.frombuffer(hashlib.shake_256(name.encode()).digest(8 * count), dtype="<u8")
    numbers: Floats = (words >> np.uint64(11)) * np.float64(2.0**-53)
    return numbers
