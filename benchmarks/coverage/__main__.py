"""Write ``benchmarks/COVERAGE.md``: ``python -m benchmarks.coverage``.

With names of modules only these run, and their sections are printed.
"""

from __future__ import annotations

import argparse
import importlib
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from plumbline.artifacts import write_text

from .entries import CONFIDENCE, DRAWS, GAP_DRAWS

MODULES = (
    "rates",
    "gaps",
    "families",
    "designs",
    "means",
    "reports",
    "scores",
    "power",
    "searches",
    "paired",
    "generative",
)  # in the order of the document
PROCESSES = 2
HEAD = f"""# Coverage of the audit's intervals

Written by `python -m benchmarks.coverage`. Each entry is the percentage of samples whose
{100 * CONFIDENCE:g} % interval holds the truth, which is known by construction. What is not said to
be enumerated is simulated: {DRAWS:,} draws an entry (standard error 0.15), gaps with {GAP_DRAWS:,}
(0.7), others as said. Entries above 97.5 are **bold**: the interval is wider than it need be, and
the words beside the table say why. Entries below 93 are marked (!)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("modules", nargs="*", help="only these; COVERAGE.md is not written")
    chosen = parser.parse_args().modules
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes below
    with ProcessPoolExecutor(PROCESSES) as pool:
        sections = [text for texts in pool.map(tables, chosen or MODULES) for text in texts]
    text = "\n\n".join([HEAD, *sections]) + "\n"
    if not chosen:
        write_text(Path(__file__).parents[1] / "COVERAGE.md", text)
    print(text)


def tables(module: str) -> list[str]:
    found: list[str] = importlib.import_module(f".{module}", __package__).tables()
    return found


if __name__ == "__main__":
    main()
