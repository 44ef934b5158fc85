"""Delivery of a run record as an MLflow run, in pieces and as often as needed."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from plumbline import artifacts, names
from plumbline.runs import record_files, records
from plumbline.tracking import models, tags
from plumbline.tracking.sending import REFUSED, RunRefusedError, Sending
from plumbline.tracking.state import State
from plumbline.tracking.store import Store
from plumbline.tracking.study_runs import delivery as study_runs
from plumbline.tracking.tags import LONGEST_TAG, fit, metric_name, shorten

LONGEST_PARAM = 6000
LONGEST_NAME = 250
# Origins in a store of a reference (`references`): to a run, or, where the store has none, itself.
RESTORED, UNCHANGED, FIRST_PUBLISHED = "restored", "unchanged", "first-published"
REFERS = (RESTORED, UNCHANGED)


def deliver(store: Store, folder: Path, parent: str) -> bool:
    """Send what is new in a run record; say whether the run is complete.

    The record is read before the metrics: once it says how the run ended, no metric follows. What
    the store does not take is named in the run's state and in a tag; a run that somebody deleted
    counts as complete when its stage has ended.
    """
    state = State(folder, store.identity)
    record = record_files.read_record(folder)
    end, attempts = records.ending(record, folder), record.get("attempts", 1)
    status = end[0] if end else records.RUNNING
    if state.get("finished") and state.get("attempts", 1) == attempts:
        if state.get("status", status) == status:
            return True
        state.set(finished=False)  # it seemed dead, and was only out of sight
    if not state.get("gone"):
        try:
            _deliver(store, folder, record, state, parent)
        except RunRefusedError as error:
            state.set(gone=True, refused={**state.get("refused", {}), "the run": str(error)[:300]})
    if end is None:
        return False
    state.set(finished=True, status=status)
    return True


def _deliver(
    store: Store, folder: Path, record: Mapping[str, Any], state: State, parent: str
) -> None:
    sending = _open(store, record, state, parent)
    try:
        _send(store, folder, record, state, sending, parent)
    finally:
        if sending.refused != state.get("refused", {}):
            state.set(refused=dict(sending.refused))


def _send(
    store: Store, folder: Path, record: Mapping[str, Any], state: State, sending: Sending,
    parent: str,
) -> None:  # fmt: skip
    attempts = record.get("attempts", 1)
    if attempts > state.get("attempts", 1) or state.get("status"):
        _go_on(store, record, sending, parent)
        state.set(attempts=attempts, status=None)
    light = state.get("light")
    if not light:
        _send_metrics(folder, state, sending)
    if (end := records.ending(record, folder)) is None:
        return
    status, error = end
    sending.part("values of the reports", lambda: sending.log(
        metrics=_results(store, record, folder), params=subject(folder)))  # fmt: skip
    sending.log(tags=_end_tags(record, error, state))
    if not light:
        _send_files(store, folder, record, sending, error)
        study_runs.deliver(store, record, folder, sending)
        if record["model"] and status == records.FINISHED:
            path = record["model"]["path"]
            sending.part(
                f"model {path}", lambda: models.deliver(store, folder, record, sending.run_id)
            )
    ended = record["ended"] or records.last_sign(folder)
    sending.finish(status, max(ended, record["started"]))


def find(store: Store, tag: str, value: str, *more: str) -> str | None:
    """Return the id of the oldest run with a tag, None if there is none."""
    terms = [f"tags.`{tag}` = '{value}'", *more]
    found = store.client.search_runs(
        [store.experiment], " and ".join(terms), max_results=1, order_by=["start_time ASC"]
    )
    return str(found[0].info.run_id) if found else None


def flatten(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield ``train_fnn.optimisation.lr`` and its value as text, for every leaf of the blocks."""
    for key, value in params.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield fit(f"{prefix}{key}"), value if isinstance(value, str) else json.dumps(value)


def results(folder: Path) -> Iterator[tuple[str, str, float]]:
    """Yield (model, metric name, value) of the metrics files kept with a run record.

    A quantity is ``test/accuracy`` whatever the model; its references have a section of their own
    in MLflow's charts. Intervals are in the report, an artifact of the run.
    """
    for report in reports(folder):
        split, model = report.get("split", names.TEST), report["model"]
        for section, cells in ((split, "metrics"), (f"{split}_reference", "reference")):
            for quantity, cell in report.get(cells, {}).items():
                if isinstance(cell, Mapping) and cell.get("value") is not None:
                    yield model, metric_name(f"{section}/{quantity}"), float(cell["value"])


def reports(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the metrics files kept with a run record, each with the name of its model."""
    for path in sorted((folder / "files" / names.METRICS_DIR).glob("*.json")):
        yield {"model": path.stem, **artifacts.read_json(path)}


def subject(folder: Path) -> dict[str, str]:
    """Return model and data set of a measurement, as params.

    MLflow's comparisons draw params that differ. Stages that measure nothing, or more than
    one model, have none.
    """
    found = list(reports(folder))
    report = found[0] if len(found) == 1 else {}
    return {key: str(report[key]) for key in ("model", "dataset") if key in report}


def _gaps(folder: Path) -> Iterator[tuple[str, float]]:
    for path in sorted((folder / "files" / names.AUDITS).glob("*.json")):
        for gap in artifacts.read_json(path).get("gaps", []):
            if gap["value"] is not None and gap["comparison"] == "difference":
                yield metric_name(f"gap/{gap['attribute']}/{gap['metric']}"), float(gap["value"])


def _open(store: Store, record: Mapping[str, Any], state: State, parent: str) -> Sending:
    """Return the sending of the record's run; find the run by its tag or make it."""
    mark = ("plumbline.key", record["key"])
    if (known := state.get("run_id")) is not None:
        return Sending(store, str(known), mark, state.get("refused", {}))
    run_id = find(store, *mark)
    origin, source = record["origin"], None
    if origin == records.REFERENCE:
        made = [f"tags.`dvc.origin` != '{refers}'" for refers in REFERS]
        source = find(store, "dvc.stage_key", str(records.stage_key(record)), *made)
        source = None if source == run_id else source
        refers = UNCHANGED if record.get("unchanged") else RESTORED
        origin = refers if source else FIRST_PUBLISHED
    if run_id is None:
        run = store.client.create_run(
            store.experiment,
            start_time=record["started"],
            # What it takes to find the run again; the other tags may be refused one by one.
            tags=dict([mark, ("mlflow.parentRunId", parent)]),
            run_name=tags.title(record)[:LONGEST_NAME],
        )
        run_id = str(run.info.run_id)
    elif REFUSED in store.client.get_run(run_id).data.tags:
        store.client.delete_tag(run_id, REFUSED)
    sending = Sending(store, run_id, mark, {})
    more = {"mlflow.parentRunId": parent, "dvc.origin": origin, "dvc.source_run": source}
    sending.log(tags={**tags.of_record(record), **more})
    _send_inputs(store, record, sending)
    state.set(
        run_id=run_id,
        offset=0,
        undefined=0,
        light=origin in REFERS,
        refused=dict(sending.refused),
    )
    return sending


def went_on(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the tag of a pipeline whose stage was stopped in it and went on in a later one.

    Its value is the ``plumbline.key`` of the stage's run.
    """
    return {tags.key("plumbline.went_on", record["stage"]): record["key"]}


def _go_on(store: Store, record: Mapping[str, Any], sending: Sending, parent: str) -> None:
    """Open a run again whose stage goes on after a stop, below the pipeline in which it does."""
    run_id = sending.run_id
    sending.check_run()
    before = store.client.get_run(run_id).data.tags
    store.client.update_run(run_id, status=records.RUNNING)
    if "error" in before:
        store.client.delete_tag(run_id, "error")
    above = before.get("mlflow.parentRunId", parent)
    if above != parent:
        (went,) = went_on(record).items()
        sending.part(f"tag {went[0]}", lambda: store.client.set_tag(above, *went))
    stops = {
        f"plumbline.stopped.{number}": f"{stop['status']}: {stop['error']}"
        for number, stop in enumerate(record.get("stops", []), start=1)
    }
    attempts = {"plumbline.attempts": record["attempts"]} if stops else {}
    more = {"mlflow.parentRunId": parent, **attempts, **stops}
    sending.log(tags={**tags.of_record(record), **more})


def _send_inputs(store: Store, record: Mapping[str, Any], sending: Sending) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    params = dict(flatten(record["params"]))
    before = len(sending.refused)
    sending.log(params={k: shorten(v, LONGEST_PARAM) for k, v in params.items()})
    cut = len(sending.refused) > before
    if cut or any(len(value) > LONGEST_PARAM for value in params.values()):
        sending.part("artifact params.json", lambda: store.client.log_dict(
            sending.run_id, record["params"], "params.json"))  # fmt: skip
    datasets = [
        DatasetInput(
            Dataset(item["name"], item["digest"], "local", json.dumps({"uri": item["path"]})),
            [InputTag("mlflow.data.context", item.get("context", "input"))],
        )
        for item in record["inputs"]
    ]
    sending.values(
        lambda item: f"dataset {item.dataset.name}",
        datasets,
        lambda some: store.client.log_inputs(sending.run_id, datasets=list(some)),
    )


def _send_metrics(folder: Path, state: State, sending: Sending) -> None:
    from mlflow.entities import Metric

    lines, offset = record_files.read_metrics(folder, state.get("offset", 0))
    if offset == state.get("offset", 0):
        return
    metrics = [
        Metric(metric_name(line["k"]), line["v"], line["t"], line["s"])
        for line in lines
        if line["v"] is not None
    ]
    sending.log(metrics=metrics)
    undefined = state.get("undefined", 0) + len(lines) - len(metrics)
    state.set(offset=offset, undefined=undefined, refused=dict(sending.refused))


def _results(store: Store, record: Mapping[str, Any], folder: Path) -> list[Any]:
    from mlflow.entities import Metric

    known = {line["k"] for line in record_files.read_metrics(folder)[0]}
    held, ended = record.get("peak_memory"), record["ended"] or records.last_sign(folder)
    peak = [("system/peak_memory_MiB", held / 2**20)] if held else []
    rows: list[tuple[str, float, str | None]] = [(k, v, None) for k, v in (*peak, *_gaps(folder))]
    for model, name, value in results(folder):
        measured = record["deps"].get((names.MODEL_DIR / model).as_posix())
        rows.append((name, value, models.find(store, measured) if measured else None))
    return [
        Metric(name, value, ended, 0, model_id=model_id)
        for name, value, model_id in rows
        if name not in known
    ]


def _end_tags(record: Mapping[str, Any], error: str | None, state: State) -> dict[str, Any]:
    return {
        "error": error,
        "metrics.undefined": state.get("undefined") or None,
        **tags.of_record(record),
    }


def _send_files(
    store: Store, folder: Path, record: Mapping[str, Any], sending: Sending, error: str | None
) -> None:
    client, run_id = store.client, sending.run_id
    for path in record["artifacts"]:
        kept = folder / "files" / path
        files = [file for file in sorted(kept.rglob("*")) if file.is_file()]
        for file in files or ([kept] if kept.exists() else []):
            named = file.relative_to(folder / "files")
            place = named.parent.as_posix() if len(named.parts) > 1 else None
            send = functools.partial(client.log_artifact, run_id, str(file), place)
            sending.part(f"artifact {named.as_posix()}", send)
    if error and len(error) > LONGEST_TAG:
        sending.part("artifact error.txt", lambda: client.log_text(run_id, error, "error.txt"))
