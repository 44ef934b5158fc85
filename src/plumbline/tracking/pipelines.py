"""The run above the runs of one ``dvc repro`` or experiment.

When the ``dvc`` process has ended, its journals are compared with ``dvc.lock``; every other stage
that is up to date gets a journal of its own, a *reference* (`references`): to the run that made
its outputs if the store knows one, else it is published from its files (a fresh clone of a
repository that holds its reports). One pipeline run therefore shows every stage, and nothing is
trained to show it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from plumbline import artifacts, names
from plumbline.errors import PlumblineError
from plumbline.runs import dvc_files, experiments, provenance
from plumbline.runs import records as journal
from plumbline.runs.links import Link, Links
from plumbline.tracking import pages, references, runs
from plumbline.tracking.state import State
from plumbline.tracking.store import Store
from plumbline.tracking.tags import shorten, title

log = logging.getLogger(__name__)

EXECUTED = "executed"


def folder_of(home: Path, key: str) -> Path:
    """Return the folder of what is known about a pipeline."""
    return home / names.WORK / "pipelines" / key


def settle(home: Path, key: str, folders: Sequence[Path], *, latest: bool) -> bool:
    """Note once, when the ``dvc`` process has ended, what ``dvc.lock`` says; say whether it has.

    Needs no store. References are made for the ``latest`` pipeline of a work tree only: the files
    say nothing about the time of an earlier one, whose lock is the one that the next one found.
    The lock of an experiment whose folder is gone is read from its commit.
    """
    note = references.note_of(home, key)
    if note.exists():
        return True
    records = _records(folders, key)
    first = records[folders[0]]
    if journal.is_alive(first["pipeline"]) or any(
        journal.ending(record) is None for record in records.values()
    ):
        return False
    root, tags = Path(first["root"]), first["tags"]
    times = experiments.Times(
        min(record["started"] for record in records.values()),
        max(record["ended"] or record["started"] for record in records.values()),
    )
    if experiments.may_be_collected(home, root, tags, times):
        return False
    entries: dict[str, dvc_files.LockEntry] = {}
    changed: dict[str, Any] = {}
    try:
        with experiments.result_tree(home, root, tags, times) as tree:
            if tree is not None:
                later = references.after(home, root, key) if tree == root else None
                found = journal.found_lock(home, later) if later else None
                if found is not None and found.exists():
                    entries = dvc_files.lock(found.read_text(encoding="utf-8"))
                else:
                    entries = dvc_files.read_lock(tree)
                if experiments.NAME in tags:
                    baseline = tags.get(experiments.BASELINE, "")
                    changed = experiments.changed_params(home, tree, baseline)
                if latest:
                    done = {record["stage"] for record in records.values()}
                    pipeline = first["pipeline"]
                    references.make(home, root, tree, pipeline, tags=tags, skip=done)
    except (OSError, yaml.YAMLError, PlumblineError, LookupError, TypeError) as error:
        # A work tree in the middle of an edit; runs that were recorded must arrive all the same.
        log.warning("sync: %s must be readable for references, got: %s", root.name, error)
        entries = {}
    locked = {
        record["key"]: entries[record["stage"]].fingerprint
        for record in records.values()
        if record["stage"] in entries and agrees(entries[record["stage"]], record)
    }
    every = [journal.read_record(folder) for folder in journal.read_all(home)]
    shown = {
        record["stage"]: fingerprint
        for record in every
        if record["pipeline"]["key"] == key
        and (fingerprint := record.get("source_key") or locked.get(record["key"]))
    }
    artifacts.write_json(
        note,
        {"key": key, "root": first["root"], "locked": locked, "shown": shown, "changed": changed},
    )
    _drop_found_locks(home, root)
    return True


def _drop_found_locks(home: Path, root: Path) -> None:
    """Remove the locks that pipelines found: one is read when the pipeline before is settled."""
    before = None
    for key in references.pipelines_of(home, root):
        if before is None or references.note_of(home, before).exists():
            journal.found_lock(home, key).unlink(missing_ok=True)
        before = key


def lock_tags(home: Path, record: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags by which an executed run says as what its outputs were locked, if it can."""
    note = references.note_of(home, record["pipeline"]["key"])
    if record["origin"] != EXECUTED or not note.exists():
        return {}
    fingerprint = artifacts.read_json(note)["locked"].get(record["key"])
    if fingerprint is None:
        return {"dvc.locked": "false"}
    return {"dvc.locked": "true", "dvc.stage_key": fingerprint}


def parent(store: Store, home: Path, first: Mapping[str, Any]) -> str:
    """Return the id of the pipeline run of a journal's record; make it if it is missing."""
    key = first["pipeline"]["key"]
    state = State(folder_of(home, key), store.identity)
    if (known := state.get("run_id")) is not None:
        return str(known)
    run_id = runs.find(store, "plumbline.pipeline", key)
    if run_id is None:
        tags = {"plumbline.pipeline": key, "mlflow.source.type": "PROJECT", **first["tags"]}
        run = store.client.create_run(
            store.experiment,
            start_time=first["started"],
            tags=tags,
            run_name=_name(first),
        )
        run_id = str(run.info.run_id)
    state.set(run_id=run_id)
    return run_id


def deliver(store: Store, home: Path, key: str, folders: Sequence[Path], *, ended: bool) -> bool:
    """Send what is new in the journals of a pipeline; say whether all of it is delivered.

    References come last: the runs they point to must carry their lock entries by then.
    """
    if State(folder_of(home, key), store.identity).get("finished"):
        return True
    records = _records(folders, key)
    above = parent(store, home, records[folders[0]])
    here = [folder for folder in folders if not records[folder]["moved"]]
    executed = [folder for folder in here if records[folder]["origin"] == EXECUTED]
    whole = [runs.deliver(store, folder, above) for folder in executed]
    if not ended or not all(whole):
        return False
    _tag_locked(store, home, executed)
    for folder in here:
        runs.deliver(store, folder, above)
    _link(store, home, records)
    _close(store, home, key, records)
    return True


def _records(folders: Sequence[Path], key: str) -> dict[Path, dict[str, Any]]:
    return {folder: journal.within(journal.read_record(folder), key) for folder in folders}


def _name(first: Mapping[str, Any]) -> str:
    if experiment := first["tags"].get(experiments.NAME):
        return str(experiment)
    if first["pipeline"]["pid"] == first["pid"]:  # by hand, without dvc
        what = f"{title(first)} by hand"
    else:
        what = first["pipeline"].get("what", "dvc repro")
    return f"{what} {first['tags'].get('git.commit', '')[:7]}".strip()


def _close(store: Store, home: Path, key: str, records: Mapping[Path, Any]) -> None:
    """Copy headline metrics to the pipeline run (charts show collapsed rows only) and end it."""
    from mlflow.entities import Metric

    state = State(folder_of(home, key), store.identity)
    ended = max(record["ended"] or record["started"] for record in records.values())
    metrics = [
        Metric(f"{model}/{name}", value, ended, 0)
        for folder, record in records.items()
        if not record["moved"]
        for model, name, value in runs.results(folder)
        if name.partition("/")[0] in names.SPLITS
    ]
    statuses = [
        record["status"] if record["moved"] else State(folder, store.identity).get("status")
        for folder, record in records.items()
    ]
    worst = next((s for s in (journal.FAILED, journal.KILLED) if s in statuses), journal.FINISHED)
    executed = sum(record["origin"] == EXECUTED for record in records.values())
    measured = {
        str(State(folder, store.identity).get("run_id")): report
        for folder, record in records.items()
        if not record["moved"]
        for report in runs.reports(folder)
    }
    text = f"{executed} stages executed, {len(records) - executed} up to date"
    text = "\n\n".join(filter(None, [text, pages.links(store, measured)]))
    tags = {"dvc.executed": executed, "dvc.stages": len(records), "mlflow.note.content": text}
    for record in records.values():
        tags |= runs.went_on(record) if record["moved"] else {}
    changed = artifacts.read_json(references.note_of(home, key)).get("changed", {})
    params = {name: shorten(text, runs.LONGEST_PARAM) for name, text in runs.flatten(changed)}
    runs.log(store, state.get("run_id"), metrics=metrics, params=params, tags=tags)
    store.client.set_terminated(state.get("run_id"), worst, ended)
    state.set(finished=True)


def _tag_locked(store: Store, home: Path, folders: Sequence[Path]) -> None:
    """Tag each executed run with whether, and as what, ``dvc.lock`` records its outputs."""
    for folder in folders:
        state = State(folder, store.identity)
        if not state.get("tagged"):
            tags = lock_tags(home, journal.read_record(folder))
            runs.log(store, state.get("run_id"), tags=tags)
            state.set(tagged=True)


def _link(store: Store, home: Path, records: Mapping[Path, Any]) -> None:
    """Note which run has which outputs; this process is the one that writes the file."""
    links = Links(home)
    for folder, record in records.items():
        if record["status"] == journal.FINISHED:
            run_id = str(State(folder, store.identity).get("run_id"))
            link = Link(record["stage"], record["key"], run_id, store.identity)
            links.add(record["outs"], link)
    links.save()


def agrees(entry: dvc_files.LockEntry, record: Mapping[str, Any]) -> bool:
    """Say whether an entry of ``dvc.lock`` records the very run of a journal."""
    same = entry.deps == record["deps"] and entry.outs == record["outs"]
    blocks = record.get("param_digests")  # journals of an earlier version have none
    return bool(same and blocks in (None, {}, provenance.param_digests(entry.params)))
