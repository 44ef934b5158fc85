"""``plumbline verify lineage``: compare locks, files, runs, run records and cards.

Nothing is run and nothing is changed. Every difference is named, with the command that mends it
where there is one.
"""

from __future__ import annotations

import sys
from pathlib import Path

from plumbline.errors import ArtifactError
from plumbline.runs import dvc_files, records
from plumbline.runs.findings import LOCK_RUN, LineageReport
from plumbline.stage import background_sync
from plumbline.verify import file_links


def run(root: Path, *, form: str = "table") -> int:
    """Check the lineage of a work tree, print the findings, return the exit code.

    Parameters
    ----------
    root : Path
        The work tree.
    form : {'table', 'json'}
        How findings are printed.

    Raises
    ------
    ArtifactError
        If there is no ``dvc.lock``.
    """
    background_sync.wait(root)
    report = examine(root)
    if form == "json":
        sys.stdout.write(f"{report.as_json()}\n")
    else:
        report.show()
    return 1 if report.breaks else 0


def examine(root: Path) -> LineageReport:
    """Return the findings of a work tree; see `run`."""
    entries = dvc_files.read_lock(root)
    if not entries:
        raise ArtifactError(
            "verify lineage: dvc.lock must record a stage, got none; run the pipeline first"
        )
    report = LineageReport()
    file_links.check_lock(root, entries, report)
    file_links.check_kernels(entries, report)
    file_links.check_cards(root, entries, report)
    _check_store(root, entries, report)
    return report


def _check_store(
    root: Path, entries: dict[str, dvc_files.LockEntry], report: LineageReport
) -> None:
    from plumbline.tracking import store
    from plumbline.tracking.lineage import model_run_links, run_links, version_links

    home = records.main_tree(root)
    if not store.exists(home):
        note = (
            "must exist, got no database; `plumbline sync --rebuild` makes it from the run records"
        )
        report.add_broken(LOCK_RUN, f"store {store.shown_address(home)}", note)
        return
    try:
        opened = store.connect(home)
    except Exception as error:  # whatever a store or its network can raise
        said = " ".join(str(error).split())[:300]
        report.add_broken(LOCK_RUN, "store", f"must answer, got {type(error).__name__}: {said}")
        return
    run_links.check(opened, home, root, entries, report)
    model_run_links.check(opened, entries, report)
    version_links.check(opened, report)
