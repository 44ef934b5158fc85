"""Check of printed numbers: every number of the cards and of the report page against its file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plumbline import artifacts, names
from plumbline.reporting.references import check_html, check_text, count_references

REFERENCES = ".refs.json"  # a card's references, beside it


def check_cards(root: Path, paths: Sequence[Path] = ()) -> tuple[int, list[str]]:
    """Compare the numbers of cards and of the report page with the files they were read from.

    Parameters
    ----------
    root : Path
        Repository root.
    paths : sequence of Path
        Cards and pages; without any, all that there are.

    Returns
    -------
    int
        Number of references.
    list of str
        A sentence for each mismatch, with the name of the card or page.
    """
    every = [*sorted((root / names.CARDS).glob("*.md")), root / names.SITE]
    total, faults = 0, []
    for path in paths or [path for path in every if path.is_file()]:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".html":
            count, found = count_references(text), check_html(text, root)
        else:
            entries = artifacts.read_json(path.with_suffix(REFERENCES))
            count, found = len(entries), check_text(text, entries, root)
        total += count
        faults += [f"{path.name}: {fault}" for fault in found]
    return total, faults
