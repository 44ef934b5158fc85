"""The run above the runs of one ``dvc repro``, and the stages that DVC did not have to repeat.

When the ``dvc`` process has ended, its journals are compared with ``dvc.lock``; every other stage
that is up to date gets a journal of its own, a *reference*: to the run that made its outputs if
the store knows one, else it is published from its files (a fresh clone of a repository that holds
its reports). One pipeline run therefore shows every stage, and nothing is trained to show it.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from plumbline import artifacts, dag, journal, names, provenance, stage
from plumbline.errors import PlumblineError
from plumbline.tracking import pages, runs
from plumbline.tracking.state import State
from plumbline.tracking.store import Store

log = logging.getLogger(__name__)

EXECUTED = "executed"


def folder_of(home: Path, key: str) -> Path:
    """Return the folder of what is known about a pipeline."""
    return home / names.WORK / "pipelines" / key


def settle(home: Path, key: str, folders: Sequence[Path], *, latest: bool) -> bool:
    """Note once, when the ``dvc`` process has ended, what ``dvc.lock`` says; say whether it has.

    Needs no store. References are made for the ``latest`` pipeline of a work tree only: the files
    say nothing about the time of an earlier one.
    """
    note = folder_of(home, key) / "pipeline.json"
    if note.exists():
        return True
    records = {folder: journal.read_record(folder) for folder in folders}
    first = records[folders[0]]
    if journal.is_alive(first["pipeline"]) or any(
        runs.ending(record) is None for record in records.values()
    ):
        return False
    root = Path(first["root"])
    try:
        entries = dag.read_lock(root)
        if latest and (root / "dvc.yaml").exists():
            done = {record["stage"] for record in records.values()}
            _make_references(root, entries, first["pipeline"], skip=done)
    except (OSError, yaml.YAMLError, PlumblineError, LookupError, TypeError) as error:
        # A work tree in the middle of an edit; runs that were recorded must arrive all the same.
        log.warning("sync: %s must be readable for references, got: %s", root.name, error)
        entries = {}
    locked = {
        record["key"]: entries[record["stage"]].fingerprint
        for record in records.values()
        if record["stage"] in entries and _agrees(entries[record["stage"]], record)
    }
    artifacts.write_json(note, {"key": key, "root": first["root"], "locked": locked})
    return True


def note_restored(root: Path, pipeline: Mapping[str, Any]) -> int:
    """Record a pipeline in which DVC ran nothing but took stages from its cache.

    No stage was there to open a journal; returns how many stages are referred to.
    """
    home = journal.runs_folder(root).parent.parent
    if pipeline["key"] in (
        journal.read_record(folder)["pipeline"]["key"] for folder in journal.read_all(home)
    ):
        return 0
    return _make_references(root, dag.read_lock(root), pipeline, skip=set())


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
    records = {folder: journal.read_record(folder) for folder in folders}
    above = parent(store, home, records[folders[0]])
    executed = [folder for folder in folders if records[folder]["origin"] == EXECUTED]
    whole = [runs.deliver(store, folder, above) for folder in executed]
    if not ended or not all(whole):
        return False
    _tag_locked(store, home, key, executed)
    for folder in folders:
        runs.deliver(store, folder, above)
    _close(store, home, key, records)
    return True


def _name(first: Mapping[str, Any]) -> str:
    if first["pipeline"]["pid"] == first["pid"]:  # by hand, without dvc
        what = f"{first['stage']} by hand"
    elif experiment := first["tags"].get("dvc.exp_name"):
        what = f"dvc exp {experiment}"
    else:
        what = "dvc repro"
    return f"{what} {first['tags'].get('git.commit', '')[:7]}".strip()


def _close(store: Store, home: Path, key: str, records: Mapping[Path, Any]) -> None:
    """Copy headline metrics to the pipeline run (charts show collapsed rows only) and end it."""
    from mlflow.entities import Metric

    state = State(folder_of(home, key), store.identity)
    ended = max(record["ended"] or record["started"] for record in records.values())
    metrics = [
        Metric(f"{model}/{name}", value, ended, 0)
        for folder in records
        for model, name, value in runs.results(folder)
        if name.partition("/")[0] in names.SPLITS
    ]
    statuses = [State(folder, store.identity).get("status") for folder in records]
    worst = next((s for s in (journal.FAILED, journal.KILLED) if s in statuses), journal.FINISHED)
    executed = sum(record["origin"] == EXECUTED for record in records.values())
    measured = {
        str(State(folder, store.identity).get("run_id")): report
        for folder in records
        for report in runs.reports(folder)
    }
    text = f"{executed} stages executed, {len(records) - executed} up to date"
    text = "\n\n".join(filter(None, [text, pages.links(store, measured)]))
    tags = {"dvc.executed": executed, "dvc.stages": len(records), "mlflow.note.content": text}
    runs.log(store, state.get("run_id"), metrics=metrics, tags=tags)
    store.client.set_terminated(state.get("run_id"), worst, ended)
    state.set(finished=True)


def _tag_locked(store: Store, home: Path, key: str, folders: Sequence[Path]) -> None:
    """Tag each executed run with whether, and as what, ``dvc.lock`` records its outputs."""
    locked = artifacts.read_json(folder_of(home, key) / "pipeline.json")["locked"]
    for folder in folders:
        state = State(folder, store.identity)
        if not state.get("tagged"):
            fingerprint = locked.get(journal.read_record(folder)["key"])
            tags = {"dvc.locked": "true" if fingerprint else "false", "dvc.stage_key": fingerprint}
            runs.log(store, state.get("run_id"), tags=tags)
            state.set(tagged=True)


def _agrees(entry: dag.LockEntry, record: Mapping[str, Any]) -> bool:
    return bool(entry.deps == record["deps"] and entry.outs == record["outs"])


def _make_references(
    root: Path, entries: Mapping[str, dag.LockEntry], pipeline: Mapping[str, Any], *, skip: set[str]
) -> int:
    count = 0
    hashes: dict[str, str | None] = {}

    def current(path: str) -> str | None:
        if path not in hashes:
            hashes[path] = dag.content_hash(root / path) if (root / path).exists() else None
        return hashes[path]

    blocks = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    for name, spec in dag.stages(root).items():
        entry = entries.get(name)
        if entry is None or name in skip or entry.cmd != spec.cmd:
            continue
        if entry.params != {block: blocks.get(block) for block in spec.params}:
            continue
        paths = {**entry.deps, **entry.outs}
        if all(current(path) == value for path, value in paths.items()):
            _make_reference(root, spec, entry, pipeline)
            count += 1
    return count


def _make_reference(
    root: Path, spec: dag.StageSpec, entry: dag.LockEntry, pipeline: Mapping[str, Any]
) -> None:
    book = journal.open_journal(
        root,
        spec.name,
        origin=runs.REFERENCE,
        source_key=entry.fingerprint,
        pipeline=dict(pipeline),
        cmd=spec.cmd,
        params=entry.params,
        param_digests=provenance.param_digests(entry.params),
        tags={**provenance.code_tags(root), "dvc.stage_key": entry.fingerprint},
        deps=entry.deps,
        outs=entry.outs,
        inputs=[
            {"name": Path(dep).name, "path": dep, "digest": value}
            for dep, value in entry.deps.items()
            if dep.startswith("data/")
        ],
    )
    shown, model = stage.shown_outputs(spec, root)
    for path in [*shown, *([model["path"]] if model else [])]:
        book.keep(root / path, path)
    for path in shown:
        if Path(path).parent == names.HISTORY_DIR:
            _replay(book, root / path)
    book.update(artifacts=shown, model=model)
    book.close(journal.FINISHED)


def _replay(book: journal.Journal, path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            step = int(float(row.pop("step", None) or row.get("epoch") or 0))
            row.pop("epoch", None)
            values = {name: float(cell) for name, cell in row.items() if cell}
            book.metrics(values, step=step)
