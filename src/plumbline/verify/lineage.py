"""``plumbline verify lineage``: walk every link between lock, files, runs, journals and cards.

Nothing is run and nothing is changed. What is checked per walk stands in
`plumbline.runs.findings`; a link that does not hold is named, with what would mend
it where something can.
"""

from __future__ import annotations

import sys
from pathlib import Path

from plumbline.errors import ArtifactError
from plumbline.runs import dvc_files, records
from plumbline.runs.findings import LOCK_RUN, Ledger
from plumbline.stage import process
from plumbline.verify import file_links


def run(root: Path, *, form: str = "table") -> int:
    """Verify the links of a work tree, print what was found, return the exit code.

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
    process.wait_for_mirror(root)
    ledger = examine(root)
    if form == "json":
        sys.stdout.write(f"{ledger.as_json()}\n")
    else:
        ledger.show()
    return 1 if ledger.breaks else 0


def examine(root: Path) -> Ledger:
    """Return what walking all links of a work tree finds; see `run`."""
    entries = dvc_files.read_lock(root)
    if not entries:
        raise ArtifactError(
            "verify lineage: dvc.lock must record a stage, got none; run the pipeline first"
        )
    ledger = Ledger()
    file_links.check_lock(root, entries, ledger)
    file_links.check_cards(root, entries, ledger)
    _check_store(root, entries, ledger)
    return ledger


def _check_store(root: Path, entries: dict[str, dvc_files.LockEntry], ledger: Ledger) -> None:
    from plumbline.tracking import store
    from plumbline.tracking.lineage import run_links

    home = records.runs_folder(root).parent.parent
    if not store.exists(home):
        note = "must exist, got no database; `plumbline sync --rebuild` makes it from the journals"
        ledger.broken(LOCK_RUN, f"store {store.bare(store.address(home))}", note)
        return
    try:
        opened = store.connect(home)
    except Exception as error:  # whatever a store or its network can raise
        said = " ".join(str(error).split())[:300]
        ledger.broken(LOCK_RUN, "store", f"must answer, got {type(error).__name__}: {said}")
        return
    run_links.check(opened, home, root, entries, ledger)
