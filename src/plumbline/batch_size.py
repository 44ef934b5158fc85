"""The largest batch that fits: powers of two are tried, the answer is printed and never assumed.

A batch size decides the result, so it stands in ``params.yaml`` and nowhere else: a machine with
more memory must not train another model without a word.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path

from plumbline.errors import TrainingError

MIB = 2**20
_TOO_LARGE = 75  # see `plumbline.training.trial`


def trials(
    measure: Callable[[int], int | None], *, most: int, memory: int | None
) -> Iterator[tuple[int, int | None]]:
    """Yield sizes 1, 2, 4, … up to ``most`` with the bytes each needs, until one does not fit.

    Parameters
    ----------
    measure : callable
        Size → bytes, None where there was no room.
    most : int
        Largest size to try.
    memory : int or None
        Bytes that a size may need; None where the device itself is the limit.
    """
    for size in takewhile(lambda size: size <= most, (2**power for power in range(most))):
        used = measure(size)
        if used is not None and memory is not None and used > memory:
            used = None
        yield size, used
        if used is None:
            return


def find(root: Path, stage: str, *, most: int, memory: int | None) -> int:
    """Print what each batch size of a training stage needs, and return the largest that fits.

    Parameters
    ----------
    root : Path
        Work tree whose prepared data are used.
    stage : str
        Name in ``dvc.yaml``, e.g. ``train_fnn``.
    most, memory
        See `trials`.

    Raises
    ------
    TrainingError
        If not even one sample fits, or the stage fails otherwise.
    """
    largest = 0
    for size, used in trials(lambda size: _measure(root, stage, size), most=most, memory=memory):
        said = "does not fit" if used is None else f"{used / MIB:,.0f} MiB"
        print(f"{size:>8}  {said}", flush=True)
        largest = largest if used is None else size
    if largest == 0:
        raise TrainingError(
            f"{stage}: batch of one sample must fit, got no room for it; allow more memory or make "
            "the network smaller"
        )
    return largest


def _measure(root: Path, stage: str, size: int) -> int | None:
    words = [sys.executable, "-m", "plumbline.training.trial", stage, str(size)]
    done = subprocess.run(
        words, cwd=root, env=dict(os.environ), check=False, capture_output=True, text=True
    )
    if done.returncode == _TOO_LARGE:
        return None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise TrainingError(f"{stage}: trial with batches of {size} must end, got: {last}")
    return int(json.loads(done.stdout.splitlines()[-1])["peak"])
