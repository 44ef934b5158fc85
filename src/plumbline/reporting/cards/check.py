"""``python -m plumbline.reporting.cards.check [FILE …]``: look every printed number up again.

Without a file, every card and the report page are checked. Exit code 1 if any number disagrees
with the file it names.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from plumbline import names
from plumbline.reporting.references import check_html, check_markdown, count_references

log = logging.getLogger(__name__)


def check_files(paths: Sequence[Path], root: Path) -> tuple[int, list[str]]:
    """Return how many references the cards and pages hold, and what is wrong with them."""
    total, faults = 0, []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        check = check_html if path.suffix == ".html" else check_markdown
        total += count_references(text)
        faults += [f"{path.name}: {fault}" for fault in check(text, root)]
    return total, faults


def main(arguments: Sequence[str], root: Path) -> int:
    """Check the named files, or all; log every fault and return the exit code."""
    paths = [Path(argument) for argument in arguments]
    paths = paths or [*sorted((root / names.CARDS).glob("*.md")), root / names.SITE]
    total, faults = check_files([path for path in paths if path.is_file()], root)
    for fault in faults:
        log.error("%s", fault)
    log.info("%d numbers looked up, %d disagree with their file", total, len(faults))
    return 1 if faults or not total else 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    sys.exit(main(sys.argv[1:], Path.cwd()))
