"""The links between ``dvc.lock``, the runs of a store and the journals they came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from plumbline.runs import dvc_files, records
from plumbline.runs.findings import LOCK_RUN, REFERENCE_RUN, RUN_JOURNAL, RUN_LOCK, Ledger
from plumbline.runs.links import Link, Links
from plumbline.tracking import pipelines, runs, tags
from plumbline.tracking.lineage import run_files
from plumbline.tracking.store import Store

REBUILD = "`plumbline sync --rebuild` makes it again from the journals"
PUBLISH = "`plumbline sync` delivers or publishes it"


def check(
    store: Store, home: Path, root: Path, entries: Mapping[str, dvc_files.LockEntry], ledger: Ledger
) -> None:
    """Walk from a lock to runs, from these to journals, artifacts and sources, and back."""
    walk = _Walk(store, home, root, entries, ledger)
    for name, entry in entries.items():
        walk.from_entry(name, entry)
    for run in list(walk.current.values()):
        walk.from_run(run)
    walk.to_lock()


class _Walk:
    def __init__(
        self,
        store: Store,
        home: Path,
        root: Path,
        entries: Mapping[str, dvc_files.LockEntry],
        ledger: Ledger,
    ) -> None:
        self.store, self.home, self.root, self.ledger = store, home, root, ledger
        self.entries = entries
        self.links = Links(home)
        self.known: dict[str, Any] = {}  # every run with a lock entry, and those links name
        self.by_stage: dict[str, list[Any]] = {}
        for run in _search(store, "tags.`dvc.stage_key` LIKE '%'"):
            self._know(run)
        self.current: dict[str, Any] = {}  # the runs of this lock, by id

    def from_entry(self, name: str, entry: dvc_files.LockEntry) -> None:
        """Find the runs of a lock entry by its outputs' links and by tags; compare the tags."""
        linked = self._linked(name, entry)
        wanted = tags.of_entry(entry)
        candidates = self.by_stage.get(name, [])
        exact = [run for run in candidates if not _differing(wanted, run)]
        if exact:
            self.ledger.hold(LOCK_RUN, len(wanted))
            self._check_keys(name, entry, exact, linked)
            self.current |= {run.info.run_id: run for run in exact}
            return
        ids = {link.run_id for link in linked}
        named = [run for run in candidates if run.info.run_id in ids]
        nearest = min(named or candidates, key=lambda r: len(_differing(wanted, r)), default=None)
        differing = _differing(wanted, nearest) if nearest is not None else []
        if nearest is None or (not named and len(differing) > 1):
            if not linked:  # else the missing run has been told
                self.ledger.broken(LOCK_RUN, name, f"must have a run, got none; {PUBLISH}")
            return
        for key in differing:
            got = nearest.data.tags.get(key)
            thing = f"{name} run {nearest.info.run_id} tag {key}"
            self.ledger.compare(LOCK_RUN, thing, wanted[key], got, "dvc.lock says the former")
        self.current[nearest.info.run_id] = nearest

    def from_run(self, run: Any) -> None:
        """Follow a run to its journal and its artifacts, a reference also to the run it names."""
        record = self._to_journal(run)
        if run.data.tags.get("dvc.origin") in runs.REFERS:
            self._to_source(run)
        else:
            run_files.check(self.store, self.home, self.root, run, record, self.ledger)

    def to_lock(self) -> None:
        """List the runs that were locked once and are not in this lock."""
        keys = {entry.fingerprint for entry in self.entries.values()}
        for run in self.known.values():
            told = run.data.tags
            if told.get("dvc.locked") != "true" or run.info.run_id in self.current:
                continue
            if told.get("dvc.stage_key") in keys:
                self.ledger.hold(RUN_LOCK)
                continue
            where = f" of experiment {told['dvc.exp_name']}" if told.get("dvc.exp_name") else ""
            thing = f"{told.get('dvc.stage')} run {run.info.run_id}"
            self.ledger.superseded(thing, f"its outputs{where} are no longer in dvc.lock")
        self.ledger.hold(RUN_LOCK, len(self.current))

    def _linked(self, name: str, entry: dvc_files.LockEntry) -> list[Link]:
        links = {
            link.run_id: link
            for path, digest in entry.outs.items()
            for link in self.links.to(path, digest)
            if link.stage == name and link.store == self.store.identity
        }
        for run_id in [run_id for run_id in links if run_id not in self.known]:
            run = _get(self.store, run_id)
            if run is None:
                note = f"must be in the store, got none (links.json names it); {REBUILD}"
                self.ledger.broken(LOCK_RUN, f"{name} run {run_id}", note)
            else:
                self._know(run)
        return list(links.values())

    def _check_keys(
        self, name: str, entry: dvc_files.LockEntry, exact: list[Any], linked: Iterable[Link]
    ) -> None:
        keys = {run.data.tags.get("dvc.stage_key") for run in exact}
        if entry.fingerprint not in keys:
            thing = f"{name} run {exact[0].info.run_id} tag dvc.stage_key"
            self.ledger.broken(
                LOCK_RUN,
                thing,
                f"must be {entry.fingerprint}, got {sorted(map(str, keys))}; {REBUILD}",
            )
        ids = {link.run_id for link in linked}
        for run in exact:
            if run.info.status == records.FINISHED and run.info.run_id not in ids:
                note = f"must be named by links.json for its outputs, got no link; {REBUILD}"
                self.ledger.broken(LOCK_RUN, f"{name} run {run.info.run_id}", note)
            else:
                self.ledger.hold(LOCK_RUN)

    def _to_journal(self, run: Any) -> dict[str, Any] | None:
        told, ledger = run.data.tags, self.ledger
        thing = f"{told.get('dvc.stage')} run {run.info.run_id}"
        key = told.get("plumbline.key", "")
        folder = records.runs_folder(self.home) / key
        if not key or not (folder / "run.json").exists():
            if self._pruned(run):
                ledger.hold(RUN_JOURNAL)
            else:
                ledger.broken(RUN_JOURNAL, f"{thing} journal {key}", "must exist, got none")
            return None
        record = records.read_record(folder)
        wanted = {**tags.of_record(record), **pipelines.lock_tags(self.home, record)}
        for name in wanted:
            ledger.compare(
                RUN_JOURNAL, f"{thing} tag {name}", wanted[name], told.get(name), REBUILD
            )
        surplus = [t for t in told if t.startswith(("dep.", "out.", "params.")) and t not in wanted]
        for name in surplus:
            ledger.broken(RUN_JOURNAL, f"{thing} tag {name}", f"must not be there; {key} has none")
        ledger.compare(RUN_JOURNAL, f"{thing} status", record["status"], run.info.status, REBUILD)
        params = {
            name: tags.shorten(value, runs.LONGEST_PARAM)
            for name, value in runs.flatten(record["params"])
        } | runs.subject(folder)
        for name in sorted({*params, *run.data.params}):
            got = run.data.params.get(name)
            ledger.compare(RUN_JOURNAL, f"{thing} parameter {name}", params.get(name), got, REBUILD)
        run_files.check_kept(folder, record, thing, ledger)
        return record

    def _pruned(self, run: Any) -> bool:
        return any(
            link.journal is None and link.run_id == run.info.run_id
            for name, digest in run.data.tags.items()
            if name.startswith("out.")
            for link in self.links.to(name.removeprefix("out."), digest)
        )

    def _to_source(self, run: Any) -> None:
        told = run.data.tags
        source_id = told.get("dvc.source_run", "")
        thing = f"{told.get('dvc.stage')} run {run.info.run_id} source {source_id}"
        source = self.known.get(source_id) or (_get(self.store, source_id) if source_id else None)
        if source is None:
            note = f"must be in the store, got none; {REBUILD}"
            self.ledger.broken(REFERENCE_RUN, thing, note)
            return
        for name, value in told.items():
            if name.startswith(("dep.", "out.", "params.")) or name == "dvc.stage_key":
                got = source.data.tags.get(name)
                self.ledger.compare(REFERENCE_RUN, f"{thing} tag {name}", value, got)
        if source_id not in self.current:
            self.current[source_id] = source
            self.from_run(source)

    def _know(self, run: Any) -> None:
        self.known[run.info.run_id] = run
        self.by_stage.setdefault(run.data.tags.get("dvc.stage", ""), []).append(run)


def _differing(wanted: Mapping[str, str], run: Any) -> list[str]:
    return [key for key, value in wanted.items() if run.data.tags.get(key) != value]


def _search(store: Store, terms: str) -> Iterable[Any]:
    token = None
    while True:
        page = store.client.search_runs(
            [store.experiment], terms, max_results=1000, order_by=["start_time ASC"],
            page_token=token,
        )  # fmt: skip
        yield from page
        token = page.token
        if not token:
            return


def _get(store: Store, run_id: str) -> Any:
    """Return a run, None if the store has none or it was deleted."""
    from mlflow.exceptions import MlflowException

    try:
        run = store.client.get_run(run_id)
    except MlflowException:
        return None
    return run if run.info.lifecycle_stage == "active" else None
