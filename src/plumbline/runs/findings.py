"""Findings of checks, and the report of a lineage check with all of its findings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

from plumbline.artifacts.plain_text import visible, visible_json

OK, BROKEN, SUPERSEDED = "ok", "broken", "superseded"

# The parts of a lineage check, in the order of the report.
LOCK_FILES = "lock → files"
LOCK_KERNELS = "lock → kernels"
LOCK_RUN = "lock → run"
RUN_RECORD = "run → record"
RUN_ARTIFACTS = "run → artifacts"
REFERENCE_RUN = "reference → run"
CARD_NUMBERS = "card → numbers"
LOCK_MODEL_RUN = "lock → model run"
VERSION_MODEL = "version → model"
RUN_LOCK = "run → lock"
CHECKS = (
    LOCK_FILES, LOCK_KERNELS, LOCK_RUN, RUN_RECORD, RUN_ARTIFACTS, REFERENCE_RUN, CARD_NUMBERS,
    LOCK_MODEL_RUN, VERSION_MODEL, RUN_LOCK,
)  # fmt: skip

LISTED = 20  # superseded runs that the table names


@dataclass(frozen=True)
class Finding:
    """Result of a check of one thing.

    Attributes
    ----------
    where : str
        Stage, or part of the lineage check.
    what : str
        Output or other thing that was checked.
    verdict : str
    note : str
    """

    where: str
    what: str
    verdict: str
    note: str

    @property
    def broken(self) -> bool:
        """Whether the check failed."""
        return self.verdict == BROKEN


@dataclass
class LineageReport:
    """Counts of checks that passed, by part of the lineage check, and all other findings."""

    passed: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def compare(self, check: str, what: str, expected: object, got: object, cure: str = "") -> None:
        """Count an equal pair, note an unequal one."""
        if expected == got:
            self.add_passed(check)
            return
        found = "nothing" if got is None else _short(got)
        cure = f"; {cure}" if cure else ""
        self.add_broken(check, what, f"must be {_short(expected)}, got {found}{cure}")

    def add_passed(self, check: str, count: int = 1) -> None:
        """Count checks that passed."""
        self.passed[check] += count

    def add_broken(self, check: str, what: str, note: str) -> None:
        """Note a failed check; the same one is noted once."""
        finding = Finding(check, what, BROKEN, note)
        if finding not in self.findings:
            self.findings.append(finding)

    def add_superseded(self, what: str, note: str) -> None:
        """Note a run that the lock no longer records."""
        self.findings.append(Finding(RUN_LOCK, what, SUPERSEDED, note))

    @property
    def breaks(self) -> list[Finding]:
        """The failed checks."""
        return [finding for finding in self.findings if finding.broken]

    def as_json(self) -> str:
        """Return ``{"passed": {check: count}, "findings": [...], "broken": count}`` as text."""
        value = {
            "passed": {check: self.passed[check] for check in CHECKS},
            "findings": [asdict(finding) for finding in self.findings],
            "broken": len(self.breaks),
        }
        return visible_json(json.dumps(value, indent=2, ensure_ascii=False))

    def show(self) -> None:
        """Print a table of all checks and findings, and a summary of one line."""
        rows = []
        for check in CHECKS:
            if self.passed[check]:
                rows.append((check, f"{self.passed[check]} checked", OK, ""))
            found = [finding for finding in self.findings if finding.where == check]
            superseded = [finding for finding in found if finding.verdict == SUPERSEDED]
            listed = [finding for finding in found if finding not in superseded[LISTED:]]
            rows += [(check, f.what, f.verdict, f.note) for f in listed]
            if len(superseded) > LISTED:
                more = f"{len(superseded) - LISTED} more"
                rows.append((check, more, SUPERSEDED, "--format json lists them"))
        print_table("Lineage", ("check", "what", "verdict", "note"), rows)
        count = len(self.findings) - len(self.breaks)
        print(
            f"{sum(self.passed.values())} links hold, {len(self.breaks)} broken, {count} superseded"
        )
        for finding in self.breaks:
            print(visible(f"broken: {finding.where}: {finding.what} {finding.note}"))


def print_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table as wide as the terminal, elsewhere 140 characters; text is taken as it is."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    print(visible(title))  # a table's own title is folded to its width
    table = Table()
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    console.print(table)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
