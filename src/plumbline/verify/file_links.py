"""Lineage that needs no store: from ``dvc.lock`` to the files, from cards to their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from plumbline import names
from plumbline.runs import dvc_files, provenance
from plumbline.runs.findings import CARD_NUMBERS, LOCK_FILES, LOCK_KERNELS, LineageReport
from plumbline.verify.causes import KERNELS

Entries = Mapping[str, dvc_files.LockEntry]
_CURE = "`dvc status` shows more, `dvc repro` makes it again"


def check_lock(root: Path, entries: Entries, report: LineageReport) -> None:
    """Hash every dependency and output of a lock as it lies there, each path once.

    Of a folder that differs the files that differ are named, as far as DVC's cache (outputs) or
    git (sources) knows what should be there.
    """
    recorded: dict[tuple[str, str], list[str]] = {}
    for name, entry in entries.items():
        for path, digest in [*entry.deps.items(), *entry.outs.items()]:
            recorded.setdefault((path, digest), []).append(name)
    found: dict[str, str | dict[str, str] | None] = {}
    for (path, digest), stages in recorded.items():
        if path not in found:
            found[path] = _content(root / path)
        _check(root, path, digest, found[path], _listed(stages), report)


def check_kernels(entries: Entries, report: LineageReport) -> None:
    """Check that one kind of kernels made every entry: results of two do not belong together.

    Entries that record none are passed over.
    """
    used: dict[str, list[str]] = {}
    for name, entry in entries.items():
        if kernels := entry.params.get(KERNELS):
            used.setdefault(str(kernels), []).append(name)
    if len(used) <= 1:
        report.add_passed(LOCK_KERNELS, sum(map(len, used.values())))
        return
    named = "; ".join(f"{kernels!r} for {_listed(used[kernels])}" for kernels in used)
    note = f"must be the same for all stages, got {named}; `plumbline repro -P` makes them the same"
    report.add_broken(LOCK_KERNELS, "kernels", note)


def check_cards(root: Path, entries: Entries, report: LineageReport) -> None:
    """Look up every number that a card or the page cites in the file that it names."""
    from plumbline.reporting.cards import check

    outs = [Path(out) for entry in entries.values() for out in entry.outs]
    shown = [
        out for out in outs if out == names.SITE or (out.parent, out.suffix) == (names.CARDS, ".md")
    ]
    for path in shown:
        if (root / path).is_file():
            total, faults = check.check_cards(root, [root / path])
            report.add_passed(CARD_NUMBERS, total - len(faults))
            for fault in faults:
                place, _, said = fault.removeprefix(f"{path.name}: ").partition(": ")
                report.add_broken(CARD_NUMBERS, f"{path.as_posix()} on {place}", said)


def _content(path: Path) -> str | dict[str, str] | None:
    if not path.exists():
        return None
    return dvc_files.listing(path) if path.is_dir() else dvc_files.content_hash(path)


def _check(
    root: Path,
    path: str,
    digest: str,
    content: str | dict[str, str] | None,
    stages: str,
    report: LineageReport,
) -> None:
    if content is None:
        note = f"must exist, got none; dvc.lock records it for {stages}; `dvc checkout` restores it"
        report.add_broken(LOCK_FILES, path, note)
        return
    got = content if isinstance(content, str) else dvc_files.folder_hash(content)
    if got == digest:
        report.add_passed(LOCK_FILES)
        return
    note = f"must have the hash {digest} of dvc.lock ({stages}), got {got}; {_CURE}"
    differing: list[tuple[str, str]] = []
    if not isinstance(content, str):
        expected = dvc_files.cached_listing(root, digest)
        differing = (
            _uncommitted(root, path)
            if expected is None
            else dvc_files.compare_listings(expected, content)
        )
    for file, what in differing:
        report.add_broken(LOCK_FILES, f"{path}/{file}", f"{what}; {path} {note}")
    if not differing:
        report.add_broken(LOCK_FILES, path, note)


def _uncommitted(root: Path, path: str) -> list[tuple[str, str]]:
    listed = provenance.git(root, "status", "--porcelain", "-z", "--", path).split("\0")
    files = [words[1] for entry in listed if len(words := entry.split(maxsplit=1)) == 2]
    return [(file.removeprefix(f"{path}/"), "differs from the commit") for file in files]


def _listed(stages: list[str]) -> str:
    more = f" and {len(stages) - 3} more" if len(stages) > 3 else ""
    return f"{', '.join(stages[:3])}{more}"
