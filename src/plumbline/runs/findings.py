"""What a walk along links has found: counts of what holds, names of what does not."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field

HOLDS, BROKEN, SUPERSEDED = "holds", "broken", "superseded"

# The walks, in the order in which they are told.
LOCK_FILES = "lock → files"
LOCK_RUN = "lock → run"
RUN_JOURNAL = "run → journal"
RUN_ARTIFACTS = "run → artifacts"
REFERENCE_RUN = "reference → run"
CARD_NUMBERS = "card → numbers"
RUN_LOCK = "run → lock"
WALKS = (
    LOCK_FILES, LOCK_RUN, RUN_JOURNAL, RUN_ARTIFACTS, REFERENCE_RUN, CARD_NUMBERS, RUN_LOCK,
)  # fmt: skip

LISTED = 20  # superseded runs that the table names


@dataclass(frozen=True)
class Finding:
    """One thing that does not hold, or is no longer current: where, what and why."""

    walk: str
    thing: str
    verdict: str
    note: str


@dataclass
class Ledger:
    """Counts checks that held per walk and collects findings."""

    held: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def compare(self, walk: str, thing: str, expected: object, got: object, cure: str = "") -> bool:
        """Count an equal pair, note an unequal one; return whether it is equal."""
        if expected == got:
            self.hold(walk)
            return True
        said = "nothing" if got is None else _short(got)
        self.broken(walk, thing, f"must be {_short(expected)}, got {said}{_tail(cure)}")
        return False

    def hold(self, walk: str, count: int = 1) -> None:
        """Count checks that held."""
        self.held[walk] += count

    def broken(self, walk: str, thing: str, note: str) -> None:
        """Note a break; the same one is noted once."""
        finding = Finding(walk, thing, BROKEN, note)
        if finding not in self.findings:
            self.findings.append(finding)

    def superseded(self, thing: str, note: str) -> None:
        """Note a run that the lock no longer records."""
        self.findings.append(Finding(RUN_LOCK, thing, SUPERSEDED, note))

    @property
    def breaks(self) -> list[Finding]:
        """The findings that are faults."""
        return [finding for finding in self.findings if finding.verdict == BROKEN]

    def as_json(self) -> str:
        """Return ``{"held": {walk: count}, "findings": [...], "broken": count}`` as text."""
        value = {
            "held": {walk: self.held[walk] for walk in WALKS},
            "findings": [asdict(finding) for finding in self.findings],
            "broken": len(self.breaks),
        }
        return json.dumps(value, indent=2, ensure_ascii=False)

    def show(self) -> None:
        """Print a table of the walks and of all findings, and one line that sums it up."""
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        console = Console()
        if not console.is_terminal:
            console = Console(width=140)
        table = Table(title="Links", title_justify="left")
        for heading in ("walk", "what", "verdict", "note"):
            table.add_column(heading, overflow="fold")
        for walk in WALKS:
            if self.held[walk]:
                table.add_row(walk, f"{self.held[walk]} checked", HOLDS, "")
            found = [finding for finding in self.findings if finding.walk == walk]
            superseded = [finding for finding in found if finding.verdict == SUPERSEDED]
            for finding in found:
                if finding not in superseded[LISTED:]:
                    table.add_row(walk, Text(finding.thing), finding.verdict, Text(finding.note))
            if len(superseded) > LISTED:
                more = f"{len(superseded) - LISTED} more"
                table.add_row(walk, more, SUPERSEDED, "--format json lists them")
        console.print(table)
        count = len(self.findings) - len(self.breaks)
        console.print(
            f"{sum(self.held.values())} links hold, {len(self.breaks)} broken, {count} superseded",
            highlight=False,
        )
        for finding in self.breaks:
            line = f"broken: {finding.walk}: {finding.thing} {finding.note}"
            console.print(Text(line), soft_wrap=True)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _tail(cure: str) -> str:
    return f"; {cure}" if cure else ""
