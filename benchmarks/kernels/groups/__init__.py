"""Quantities whose bits are compared between processors, in groups.

A module has a function ``quantities`` that yields pairs of a name and what was computed: arrays,
tensors, bytes, texts and numbers, alone or in tuples. Sizes are small, so that a group also runs
under emulation, but no power of two, so that kernels meet their vector loops and what is left over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

Quantities = Iterator[tuple[str, Any]]
DIGITS = 10


def digest(value: Any) -> str:
    """Return the first digits of the SHA-256 of a value's bytes."""
    found = hashlib.sha256()
    for part in value if isinstance(value, (tuple, list)) else (value,):
        found.update(_bytes(part))
    return found.hexdigest()[:DIGITS]


def _bytes(part: Any) -> bytes:
    if isinstance(part, bytes):
        return part
    if isinstance(part, str):
        return part.encode()
    if hasattr(part, "detach"):  # a tensor; bfloat16 has no counterpart in NumPy
        part = part.detach().cpu()
        part = (part.float() if str(part.dtype) == "torch.bfloat16" else part).numpy()
    return np.ascontiguousarray(part).tobytes()
