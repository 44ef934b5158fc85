"""Number of stages that a machine can run at once."""

from __future__ import annotations

from plumbline.compat.threads import processors


def default(threads: int) -> int:
    """Return how many stages of ``threads`` threads the available processors hold, at least 1."""
    return max(1, processors() // threads)
