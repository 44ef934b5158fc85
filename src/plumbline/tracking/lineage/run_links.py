"""Lineage between ``dvc.lock``, the runs of a store and the run records they came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from plumbline.errors import ArtifactError
from plumbline.runs import dvc_files, record_files, records
from plumbline.runs.findings import LOCK_RUN, REFERENCE_RUN, RUN_LOCK, RUN_RECORD, LineageReport
from plumbline.tracking import runs, tags
from plumbline.tracking.lineage import run_files
from plumbline.tracking.store import Store

REBUILD = "`plumbline sync --rebuild` makes it again from the run records"
PUBLISH = f"`plumbline sync` delivers or publishes it, {REBUILD}"
CONTENT = ("dep.", "out.", "params.")


def check(
    store: Store,
    home: Path,
    root: Path,
    entries: Mapping[str, dvc_files.LockEntry],
    report: LineageReport,
) -> None:
    """Check a lock against runs, these against records, artifacts and sources, and back."""
    lineage = _Check(store, home, root, entries, report)
    for name, entry in entries.items():
        lineage.check_entry(name, entry)
    for run in list(lineage.current.values()):
        lineage.check_run(run)
    lineage.check_superseded()


class _Check:
    def __init__(
        self,
        store: Store,
        home: Path,
        root: Path,
        entries: Mapping[str, dvc_files.LockEntry],
        report: LineageReport,
    ) -> None:
        self.store, self.home, self.root, self.report = store, home, root, report
        self.entries = entries
        found = list(_search(store, "tags.`dvc.stage_key` LIKE '%'"))
        self.known: dict[str, Any] = {run.info.run_id: run for run in found}
        self.current: dict[str, Any] = {}  # the runs of this lock, by id

    def check_entry(self, name: str, entry: dvc_files.LockEntry) -> None:
        """Find the runs of a lock entry by their tags; compare those of the nearest if none fits.

        A run with more than one other tag is that of another state.
        """
        wanted = tags.of_entry(entry)
        candidates = [run for run in self.known.values() if run.data.tags.get("dvc.stage") == name]
        exact = [run for run in candidates if not _differing(wanted, run)]
        if exact:
            self.report.add_passed(LOCK_RUN, len(wanted))
            keys = {run.data.tags.get("dvc.stage_key") for run in exact}
            if entry.fingerprint not in keys:
                what = f"{name} run {exact[0].info.run_id} tag dvc.stage_key"
                note = f"must be {entry.fingerprint}, got {sorted(map(str, keys))}; {REBUILD}"
                self.report.add_broken(LOCK_RUN, what, note)
            self.current |= {run.info.run_id: run for run in exact}
            return
        nearest = min(candidates, key=lambda run: len(_differing(wanted, run)), default=None)
        if nearest is None or len(differing := _differing(wanted, nearest)) > 1:
            self.report.add_broken(LOCK_RUN, name, f"must have a run, got none; {PUBLISH}")
            return
        what = f"{name} run {nearest.info.run_id} tag {differing[0]}"
        got = nearest.data.tags.get(differing[0])
        self.report.compare(LOCK_RUN, what, wanted[differing[0]], got, "dvc.lock says the former")
        self.current[nearest.info.run_id] = nearest

    def check_run(self, run: Any) -> None:
        """Compare a run with its record and artifacts, a reference also with the run it names."""
        folder = self._check_record(run)
        if run.data.tags.get("dvc.origin") in runs.REFERS:
            self._check_source(run)
        else:
            run_files.RunFiles(self.store, self.root, run, folder, self.report).check()

    def check_superseded(self) -> None:
        """List the finished runs of outputs that are not in this lock."""
        keys = {entry.fingerprint for entry in self.entries.values()}
        for run in self.known.values():
            found = run.data.tags
            if run.info.run_id in self.current or found.get("dvc.stage_key") in keys:
                self.report.add_passed(RUN_LOCK)
                continue
            where = f" of experiment {found['dvc.exp_name']}" if found.get("dvc.exp_name") else ""
            note = f"its outputs{where} are no longer in dvc.lock"
            self.report.add_superseded(_name(run), note)

    def _check_record(self, run: Any) -> Path | None:
        found, report, name = run.data.tags, self.report, _name(run)
        key = str(found.get("plumbline.key", ""))
        folder = records.runs_folder(self.home) / key
        if not key or not (folder / "run.json").exists():
            if found.get(tags.PRUNED) == "true":
                report.add_passed(RUN_RECORD)
            else:
                report.add_broken(RUN_RECORD, f"{name} record {key}", "must exist, got none")
            return None
        record = record_files.read_record(folder)
        wanted = tags.of_record(record)
        for tag in wanted:
            what = f"{name} tag {tag}"
            report.compare(RUN_RECORD, what, wanted[tag], found.get(tag), REBUILD)
        for tag in found:
            if tag.startswith(CONTENT) and tag not in wanted:
                note = f"must not be there; {key} has none"
                report.add_broken(RUN_RECORD, f"{name} tag {tag}", note)
        status = run.info.status
        report.compare(RUN_RECORD, f"{name} status", record["status"], status, REBUILD)
        try:
            measured = runs.subject(folder)
        except (ArtifactError, TypeError):
            measured = {}  # a damaged file: `check_kept` names it
        params = {
            param: tags.shorten(value, runs.LONGEST_PARAM)
            for param, value in runs.flatten(record["params"])
        } | measured
        for param in sorted({*params, *run.data.params}):
            what, got = f"{name} parameter {param}", run.data.params.get(param)
            report.compare(RUN_RECORD, what, params.get(param), got, REBUILD)
        run_files.check_kept(folder, record, name, report)
        return folder

    def _check_source(self, run: Any) -> None:
        found = run.data.tags
        source_id = found.get("dvc.source_run", "")
        name = f"{_name(run)} source {source_id}"
        source = self.known.get(source_id)
        if source is None:
            note = f"must be in the store, got none; {REBUILD}"
            self.report.add_broken(REFERENCE_RUN, name, note)
            return
        for tag, value in found.items():
            if tag.startswith((*CONTENT, "dvc.stage_key")):
                got = source.data.tags.get(tag)
                self.report.compare(REFERENCE_RUN, f"{name} tag {tag}", value, got)
        if source_id not in self.current:
            self.current[source_id] = source
            self.check_run(source)


def _name(run: Any) -> str:
    return f"{run.data.tags.get('dvc.stage')} run {run.info.run_id}"


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
