"""Stages side by side against stages one after another: the default pipeline, from nothing.

The two take turns in clones of HEAD, each with empty caches and without times of earlier runs, and
must write the same ``dvc.lock``. A turn takes about twelve minutes on two cores, so ``make bench``
leaves this out: ``python benchmarks/parallel.py --jobs 2 --turns 1``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline import surroundings

from plumbline.stage.scheduler import jobs as processors

import measure
from measure import Row, take_turns, within

ROOT = Path(__file__).parents[1]
GOAL = 0.56  # of the time in series, on two cores


def row(jobs: int, turns: int) -> Row:
    """Measure both and compare their locks."""
    with tempfile.TemporaryDirectory() as folder:
        locks: list[bytes] = []

        def run(count: int) -> None:
            clone = Path(folder) / f"clone{len(locks)}"
            repro(clone, count)
            locks.append((clone / "dvc.lock").read_bytes())

        taken = take_turns(lambda: run(jobs), lambda: run(1), turns=turns, warm_up=False)
    if len({*locks}) != 1:
        raise SystemExit("benchmarks: dvc.lock must be the same in all runs, got different ones")
    return within(
        24, f"repro -j {jobs}", "the default pipeline", "repro -j 1", taken, goal=GOAL,
        note=f"{processors.processors()} processors; locks equal byte for byte",
        why="The longest path of stages, or processors that other work shares.",
    )  # fmt: skip


def repro(clone: Path, jobs: int) -> None:
    """Run the default pipeline in a new clone without its lock."""
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    (clone / "dvc.lock").unlink()
    env = surroundings(clone, clone.with_name(f"{clone.name}-dvc"))
    words = [sys.executable, "-m", "plumbline.cli", "repro", "-j", str(jobs)]
    subprocess.run(words, cwd=clone, env=env, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--jobs", type=int, default=processors.processors())
    parser.add_argument("--turns", type=int, default=1)
    options = parser.parse_args()
    print(measure.table([row(options.jobs, options.turns)]))
