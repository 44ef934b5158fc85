"""The run above the runs of one ``dvc repro`` or experiment.

When the ``dvc`` process has ended, every other stage that is up to date gets a record of its own, a
*reference* (`references`): to the run that made its outputs if the store knows one, else it is
published from its files (a fresh clone of a repository that holds its reports). One pipeline run
therefore shows every stage, and nothing is trained to show it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plumbline import artifacts, names
from plumbline.errors import PlumblineError
from plumbline.runs import experiments, processes, record_files, records
from plumbline.tracking import pages, references, runs
from plumbline.tracking.state import State
from plumbline.tracking.store import Store
from plumbline.tracking.tags import shorten, title

log = logging.getLogger(__name__)


def folder_of(home: Path, key: str) -> Path:
    """Return the folder of the notes about a pipeline."""
    return home / record_files.WORK / "pipelines" / key


def settle(home: Path, key: str, folders: Sequence[Path], *, latest: bool) -> bool:
    """Note once, when the ``dvc`` process has ended, what it left; say whether it has ended.

    Needs no store. References are made for the ``latest`` pipeline of a work tree only: the files
    say nothing about the time of an earlier one. The files of an experiment whose folder is gone
    are read from its commit.
    """
    if references.read_note(home, key):
        return True
    found = _records(folders, key)
    first = found[folders[0]]
    if processes.is_alive(first["pipeline"]) or any(
        records.ending(record) is None for record in found.values()
    ):
        return False
    root, tags = Path(first["root"]), first["tags"]
    times = experiments.Times(
        min(record["started"] for record in found.values()),
        max(record["ended"] or record["started"] for record in found.values()),
    )
    if experiments.may_be_collected(home, root, tags, times):
        return False
    changed: dict[str, Any] = {}
    try:
        with experiments.result_tree(home, root, tags, times) as tree:
            if tree is not None and experiments.NAME in tags:
                baseline = tags.get(experiments.BASELINE, "")
                changed = experiments.changed_params(home, tree, baseline)
            if tree is not None and latest:
                done = {record["stage"] for record in found.values()}
                references.make(home, root, tree, first["pipeline"], tags=tags, skip=done)
    except (OSError, PlumblineError, LookupError, TypeError) as error:
        # A work tree in the middle of an edit; runs that were recorded must arrive all the same.
        log.warning("sync: %s must be readable for references, got: %s", root.name, error)
    left = [record_files.read_record(folder) for folder in record_files.read_all(home)]
    shown = {
        record["stage"]: stage_key
        for record in left
        if record["pipeline"]["key"] == key and (stage_key := records.stage_key(record))
    }
    note = {"key": key, "root": first["root"], "shown": shown, "changed": changed}
    artifacts.write_json(references.note_of(home, key), note)
    return True


def parent(store: Store, home: Path, first: Mapping[str, Any]) -> str:
    """Return the id of the pipeline run of a record; make it if it is missing."""
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
    """Send what is new in the records of a pipeline; say whether all of it is delivered."""
    if State(folder_of(home, key), store.identity).get("finished"):
        return True
    found = _records(folders, key)
    above = parent(store, home, found[folders[0]])
    here = [folder for folder in folders if not found[folder]["moved"]]
    executed = [folder for folder in here if found[folder]["origin"] == records.EXECUTED]
    whole = [runs.deliver(store, folder, above) for folder in executed]
    if not ended or not all(whole):
        return False
    for folder in here:  # references come last: they refer to runs that are there
        runs.deliver(store, folder, above)
    _close(store, home, key, found)
    return True


def _records(folders: Sequence[Path], key: str) -> dict[Path, dict[str, Any]]:
    return {folder: records.within(record_files.read_record(folder), key) for folder in folders}


def _name(first: Mapping[str, Any]) -> str:
    if experiment := first["tags"].get(experiments.NAME):
        return str(experiment)
    if first["pipeline"]["pid"] == first["pid"]:  # by hand, without dvc
        what = f"{title(first)} by hand"
    else:
        what = first["pipeline"].get("what", "dvc repro")
    return f"{what} {first['tags'].get('git.commit', '')[:7]}".strip()


def _close(store: Store, home: Path, key: str, found: Mapping[Path, Any]) -> None:
    """Copy main metrics to the pipeline run (charts show collapsed rows only) and end it."""
    from mlflow.entities import Metric

    state = State(folder_of(home, key), store.identity)
    ended = max(record["ended"] or record["started"] for record in found.values())
    metrics = [
        Metric(f"{model}/{name}", value, ended, 0)
        for folder, record in found.items()
        if not record["moved"]
        for model, name, value in runs.results(folder)
        if name.partition("/")[0] in names.SPLITS
    ]
    statuses = [
        record["status"] if record["moved"] else State(folder, store.identity).get("status")
        for folder, record in found.items()
    ]
    worst = next((s for s in (records.FAILED, records.KILLED) if s in statuses), records.FINISHED)
    executed = sum(record["origin"] == records.EXECUTED for record in found.values())
    measured = {
        str(State(folder, store.identity).get("run_id")): report
        for folder, record in found.items()
        if not record["moved"]
        for report in runs.reports(folder)
    }
    text = f"{executed} stages executed, {len(found) - executed} up to date"
    text = "\n\n".join(filter(None, [text, pages.links(store, measured)]))
    tags = {"dvc.executed": executed, "dvc.stages": len(found), "mlflow.note.content": text}
    for record in found.values():
        tags |= runs.went_on(record) if record["moved"] else {}
    changed = references.read_note(home, key).get("changed", {})
    params = {name: shorten(text, runs.LONGEST_PARAM) for name, text in runs.flatten(changed)}
    runs.log(store, state.get("run_id"), metrics=metrics, params=params, tags=tags)
    store.client.set_terminated(state.get("run_id"), worst, ended)
    state.set(finished=True)
