"""What portable kernels cost: steps of small networks, products, and the default trainings.

Kernels are chosen when a process starts, so each kind works in a process of its own. The two take
turns, on one thread.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from plumbline.compat import kernels

import measure
from measure import Row, take_turns

WORKER = Path(__file__).parent / "kernels/worker.py"
TURNS, AT_LEAST = 7, 0.4  # and seconds of each
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
WORKS = {
    "MLP step": "64-64-32-2, batch 32",
    "CNN step": "16×16, 16-32 channels, batch 64",
    "LSTM step": "64-256, 32 characters, batch 16",
    "GRU step": "64-256, 32 characters, batch 16",
    "torch product": "512×512×512, float32",
    "torch product, double": "512×512×512, float64",
    "NumPy product": "512×512×512, float64",
    "torch exp": "100,000, float32",
    "default fnn": "2 epochs",
    "default cnn": "2 epochs",
    "default rnn": "2 epochs",
    "default gan": "2 epochs",
}


def rows() -> Iterator[Row]:
    if not kernels.available():
        return
    portable, native = Worker("portable"), Worker("native")
    for what, size in WORKS.items():
        turns = take_turns(
            lambda what=what: portable.run(what), lambda what=what: native.run(what),
            turns=TURNS, at_least=AT_LEAST,
        )  # fmt: skip
        yield cost(what, size, turns)


def cost(what: str, size: str, turns: measure.Turns) -> Row:
    shares = [1 / ratio for ratio in turns.ratios()]
    middle = statistics.median(shares)
    return Row(
        23, f"{what}, portable kernels", size, "native kernels",
        f"{middle:.2f} of its time ({min(shares):.2f}–{max(shares):.2f})",
        ours=turns.median(), peer_seconds=turns.median(1), note="1 thread",
    )  # fmt: skip


class Worker:
    """A process that computes with one kind of kernels."""

    def __init__(self, kind: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=os.environ | dict.fromkeys(THREADS, "1"),
        )  # fmt: skip

    def run(self, what: str) -> None:
        """Do a work once, and return when it is done."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(what, file=self.process.stdin, flush=True)
        if not self.process.stdout.readline():
            raise RuntimeError(f"kernel_speed: {what} must return, got the end of its process")


if __name__ == "__main__":
    measure.main(rows, __doc__)
