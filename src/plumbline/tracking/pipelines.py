"""The run above the runs of one ``dvc repro`` or experiment.

When the ``dvc`` process has ended, every other stage that is up to date gets a record of its own, a
*reference* (`references`): to the run that made its outputs if the store knows one, else it is
published from its files (a fresh clone of a repository that holds its reports). One pipeline run
therefore shows every stage, and nothing is trained to show it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from plumbline import artifacts, names
from plumbline.errors import PlumblineError
from plumbline.runs import experiments, processes, record_files, records
from plumbline.tracking import pages, references, runs
from plumbline.tracking.model_runs import delivery
from plumbline.tracking.sending import REFUSED, RunRefusedError, Sending
from plumbline.tracking.state import State
from plumbline.tracking.store import Store
from plumbline.tracking.tags import fit, shorten, title

log = logging.getLogger(__name__)


def folder_of(home: Path, key: str) -> Path:
    """Return the folder of the notes about a pipeline."""
    return home / record_files.WORK / "pipelines" / key


def statuses(found: Mapping[Path, Mapping[str, Any]]) -> dict[str, str]:
    """Return the status of each run of a pipeline, by the name of its record, as it is judged now.

    A delivered pipeline is delivered again if they change: a run of another host that seemed dead
    may go on, and one more may begin.
    """
    ends = {folder.name: records.ending(record, folder) for folder, record in found.items()}
    return {name: end[0] if end else records.RUNNING for name, end in ends.items()}


def is_delivered(state: State, now: Mapping[str, str]) -> bool:
    """Say whether a pipeline whose runs have these `statuses` is in the store."""
    covered = state.get("covered", now)  # deliveries of earlier versions do not say
    return bool(state.get("finished")) and now.items() <= covered.items()


def is_running(home: Path, key: str, now: Mapping[str, str]) -> bool:
    """Say whether the ``dvc`` process of a pipeline, or one of its stages, runs."""
    found = _records(home, key, now)
    pipeline = next(iter(found.values()))["pipeline"]
    return processes.is_alive(pipeline, found) or records.RUNNING in now.values()


def settle(home: Path, key: str, now: Mapping[str, str], *, latest: bool) -> bool:
    """Note once, when the ``dvc`` process has ended, what it left; say whether it has ended.

    Needs no store. References are made for the ``latest`` pipeline of a work tree only: the files
    say nothing about the time of an earlier one. The files of an experiment whose folder is gone
    are read from its commit. ``now`` holds the `statuses` of the pipeline's runs.
    """
    note = references.read_note(home, key)
    if note and now.items() <= note.get("covered", now).items():
        return True
    if is_running(home, key, now):
        return False
    found = _records(home, key, now)
    first = next(iter(found.values()))
    root, tags = record_files.tree_of(home, first), first["tags"]
    times = experiments.Times(
        min(record["started"] for record in found.values()),
        max(record["ended"] or record["started"] for record in found.values()),
        frozenset(filter(None, map(records.stage_key, found.values()))),
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
    left = record_files.summaries(home)
    own = [folder.name for folder, one in left.items() if key in one.pipelines]
    found = _records(home, key, own)
    shown = {
        record["stage"]: stage_key
        for record in found.values()
        if not record["moved"] and (stage_key := records.stage_key(record))
    }
    note = {"key": key, "shown": shown, "changed": changed, "covered": statuses(found)}
    artifacts.write_json(references.note_of(home, key), note)
    return True


def deliver(store: Store, home: Path, key: str, now: Mapping[str, str], *, ended: bool) -> bool:
    """Send what is new in the records of a pipeline; say whether all of it is delivered.

    ``now`` holds the `statuses` of its runs. What the store does not take is kept in the state of
    the pipeline, under ``lacking``.
    """
    state = State(folder_of(home, key), store.identity)
    if is_delivered(state, now):
        return True
    found = _records(home, key, now)
    sending = _open(store, state, next(iter(found.values())))
    above = sending.run_id
    here = [folder for folder, record in found.items() if not record["moved"]]
    executed = [folder for folder in here if found[folder]["origin"] == records.EXECUTED]
    whole = [runs.deliver(store, folder, above) for folder in executed]
    done = ended and all(whole) and records.RUNNING not in now.values()
    for folder in here if done else ():  # references come last: they refer to runs that are there
        runs.deliver(store, folder, above)
    for folder in here:
        for name, reason in State(folder, store.identity).get("refused", {}).items():
            sending.refused[f"{title(found[folder])}: {name}"] = reason
    if done:
        try:
            _close(store, home, key, found, sending, state)
        except RunRefusedError as error:
            sending.refused["the run of the pipeline"] = str(error)[:300]
        state.set(finished=True, covered=dict(now), lacking=sending.refused)
    elif sending.refused != state.get("lacking", {}):
        state.set(lacking=sending.refused)
    return done


def _open(store: Store, state: State, first: Mapping[str, Any]) -> Sending:
    """Return the sending of the pipeline run of a record; make the run if it is missing."""
    mark = ("plumbline.pipeline", first["pipeline"]["key"])
    if (known := state.get("run_id")) is not None:
        sending = Sending(store, str(known), mark, state.get("refused", {}))
        if state.get("finished"):  # one of its runs goes on
            with contextlib.suppress(RunRefusedError):
                sending.check_run()
                store.client.update_run(str(known), status=records.RUNNING)
            state.set(finished=False)
        return sending
    run_id = runs.find(store, *mark)
    if run_id is None:
        run = store.client.create_run(
            store.experiment,
            start_time=first["started"],
            tags=dict([mark]),
            run_name=_name(first)[: runs.LONGEST_NAME],
        )
        run_id = str(run.info.run_id)
    elif REFUSED in store.client.get_run(run_id).data.tags:
        store.client.delete_tag(run_id, REFUSED)
    sending = Sending(store, run_id, mark, {})
    sending.log(tags={"mlflow.source.type": "PROJECT", **first["tags"]})
    state.set(run_id=run_id, refused=dict(sending.refused))
    return sending


def _records(home: Path, key: str, names: Iterable[str]) -> dict[Path, dict[str, Any]]:
    """Return the records of these names as they concern a pipeline, in the order of the names."""
    folders = [home / record_files.WORK / "runs" / name for name in names]
    return {folder: records.within(record_files.read_record(folder), key) for folder in folders}


def _name(first: Mapping[str, Any]) -> str:
    if experiment := first["tags"].get(experiments.NAME):
        return str(experiment)
    if first["pipeline"]["pid"] == first["pid"]:  # by hand, without dvc
        what = f"{title(first)} by hand"
    else:
        what = first["pipeline"].get("what", "dvc repro")
    return f"{what} {first['tags'].get('git.commit', '')[:7]}".strip()


def _close(
    store: Store, home: Path, key: str, found: Mapping[Path, Any], sending: Sending, state: State
) -> None:
    """Send the model runs, copy their metrics to the pipeline run, and end it.

    Charts of stage runs show collapsed rows only.
    """
    from mlflow.entities import Metric

    begun = min(record["started"] for record in found.values())
    ended = max(begun, *(record["ended"] or record["started"] for record in found.values()))
    here = {folder: record for folder, record in found.items() if not record["moved"]}
    statuses = [
        record["status"] if record["moved"] else State(folder, store.identity).get("status")
        for folder, record in found.items()
    ]
    worst = next((s for s in (records.FAILED, records.KILLED) if s in statuses), records.FINISHED)
    executed = sum(record["origin"] == records.EXECUTED for record in found.values())
    text = f"{executed} stages executed, {len(found) - executed} up to date"
    tags = {"dvc.executed": executed, "dvc.stages": len(found), "mlflow.note.content": text}
    for record in found.values():
        tags |= runs.went_on(record) if record["moved"] else {}
    changed = references.read_note(home, key).get("changed", {})
    params = {name: shorten(value, runs.LONGEST_PARAM) for name, value in runs.flatten(changed)}
    sending.log(params=params, tags=tags)
    shown, refused = delivery.deliver(store, home, key, found, changed, state)
    sending.refused |= refused
    links = pages.links(store, {run_id: model for model, run_id in shown.items()})
    sending.log(tags={"mlflow.note.content": "\n\n".join(filter(None, [text, links]))})

    def measured() -> None:  # from the reports, which may be damaged
        metrics = [
            Metric(fit(f"{model}/{name}"), value, ended, 0)
            for folder in here
            for model, name, value in runs.results(folder)
            if name.partition("/")[0] in names.SPLITS
        ]
        sending.log(metrics=metrics)

    sending.part("values of the reports", measured)
    sending.finish(worst, ended)
