"""What every comparison shares: turns taken in one run, ratios with their spread, a table of rows.

A script of this folder has a function ``rows`` that yields `Row`, and ends with
``measure.main(rows, __doc__)``. Run by itself it prints its table; ``benchmarks/run.py`` runs them
all, each in a process of its own, and writes ``RESULTS.md``.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

Work = Callable[[], object]
Rows = Callable[[], Iterable["Row"]]
HEAD = (
    "#",
    "what",
    "size",
    "peer",
    "ours, s",
    "peer, s",
    "ratio (spread)",
    "goal",
    "reached",
    "note",
)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Parameters
    ----------
    number
        Of the goal; rows are listed by it.
    figure
        What is held to the goal, in words a reader can compare with it: ``"35× (32–41)"``.
    reached
        Whether the goal was reached; None where a line has no goal.
    ours, peer_seconds
        Median seconds; None where a line is not about time.
    why
        For a goal that was missed: where the time goes. Printed only then.
    """

    number: int
    what: str
    size: str
    peer: str
    figure: str
    goal: str = ""
    reached: bool | None = None
    ours: float | None = None
    peer_seconds: float | None = None
    note: str = ""
    why: str = ""


@dataclass(frozen=True)
class Turns:
    """Seconds of each turn, ours first, then the peers in the order given."""

    seconds: tuple[tuple[float, ...], ...]

    def median(self, which: int = 0) -> float:
        """Return the median seconds of ours, or of a peer."""
        return statistics.median(self.seconds[which])

    def ratios(self, peer: int = 1, *, scale: float = 1.0) -> list[float]:
        """Return how many times as fast ours is, by turn; ``scale`` if the peer did a part only."""
        return [scale * b / a for a, b in zip(self.seconds[0], self.seconds[peer], strict=True)]


def take_turns(
    ours: Work, *peers: Work, turns: int = 5, warm_up: bool = True, at_least: float = 0.0
) -> Turns:
    """Run ours and the peers one after the other, ``turns`` times.

    Work of milliseconds is repeated within its turn for ``at_least`` so many seconds, and its time
    is the mean: a slice of time that goes to another process would otherwise be many times its own.

    The first round is not counted if ``warm_up``; garbage is collected before every run, so that
    nobody pays for another's.
    """
    seconds: list[list[float]] = [[] for _ in range(1 + len(peers))]
    for turn in range(turns + warm_up):
        for place, work in enumerate((ours, *peers)):
            gc.collect()
            start, repeats = time.perf_counter(), 0
            while not repeats or time.perf_counter() - start < at_least:
                work()
                repeats += 1
            taken = (time.perf_counter() - start) / repeats
            if turn >= warm_up:
                seconds[place].append(taken)
    return Turns(tuple(map(tuple, seconds)))


def faster(
    number: int, what: str, size: str, peer: str, turns: Turns, *, goal: float | None,
    which: int = 1, scale: float = 1.0, note: str = "", why: str = "",
) -> Row:  # fmt: skip
    """Make a row whose goal is to be at least ``goal`` times as fast as the peer ``which``."""
    ratios = turns.ratios(which, scale=scale)
    middle = statistics.median(ratios)
    return Row(
        number, what, size, peer, f"{times(middle)} ({times(min(ratios))}–{times(max(ratios))})",
        "" if goal is None else f"≥ {goal:,g}×", None if goal is None else middle >= goal,
        turns.median(), scale * turns.median(which), note, why,
    )  # fmt: skip


def within(
    number: int, what: str, size: str, peer: str, turns: Turns, *, goal: float,
    which: int = 1, note: str = "", why: str = "",
) -> Row:  # fmt: skip
    """Make a row whose goal is to take at most ``goal`` of the time of the peer ``which``."""
    shares = [1 / ratio for ratio in turns.ratios(which)]
    middle = statistics.median(shares)
    return Row(
        number, what, size, peer, f"{middle:.2f} of its time ({min(shares):.2f}–{max(shares):.2f})",
        f"≤ {goal:g}", middle <= goal, turns.median(), turns.median(which), note, why,
    )  # fmt: skip


def times(ratio: float) -> str:
    return f"{ratio:,.0f}×" if ratio >= 20 else f"{ratio:.2g}×" if ratio < 1 else f"{ratio:.1f}×"


def table(rows: Iterable[Row]) -> str:
    """Render rows as a Markdown table, by number, followed by the reasons of what was missed."""
    ordered = sorted(rows, key=lambda row: row.number)
    lines = [HEAD, ("---",) * len(HEAD), *map(cells, ordered)]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
    missed = [row for row in ordered if row.reached is False]
    if missed:
        text += "\n## Goals missed\n\n" + "".join(
            f"- **{row.number}, {row.what}, {row.size}** against {row.peer}: {row.figure}, goal "
            f"{row.goal}. {row.why or 'No profile was made.'}\n"
            for row in missed
        )
    return text


def cells(row: Row) -> tuple[str, ...]:
    seconds = ["" if x is None else f"{x:.3g}" for x in (row.ours, row.peer_seconds)]
    reached = {True: "yes", False: "**no**", None: ""}[row.reached]
    return (str(row.number), row.what, row.size, row.peer, *seconds, row.figure, row.goal, reached,
            row.note)  # fmt: skip


def main(rows: Rows, about: str | None) -> None:
    parser = argparse.ArgumentParser(description=(about or "").split("\n")[0])
    parser.add_argument("--json", type=Path, help="also write the rows there")
    options = parser.parse_args()
    found: list[Row] = []
    for row in announced(rows()):
        found.append(row)
        if options.json:  # after every row, so that a script that fails keeps what it had
            options.json.write_text(json.dumps([dataclasses.asdict(row) for row in found]))
    print(table(found))


def announced(rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        print(f"{row.number}  {row.what}, {row.size}, {row.peer}: {row.figure}", file=sys.stderr)
        yield row
