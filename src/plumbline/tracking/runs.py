"""Delivery of a run record as an MLflow run, in pieces and as often as needed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from plumbline import artifacts, names
from plumbline.runs import record_files, records
from plumbline.tracking import models, tags
from plumbline.tracking.state import State
from plumbline.tracking.store import Store
from plumbline.tracking.tags import LONGEST_TAG, fit, metric_name, shorten

LONGEST_PARAM = 6000
# Origins in a store of a reference (`references`): to a run, or, where the store has none, itself.
RESTORED, UNCHANGED, FIRST_PUBLISHED = "restored", "unchanged", "first-published"
REFERS = (RESTORED, UNCHANGED)


def deliver(store: Store, folder: Path, parent: str) -> bool:
    """Send what is new in a run record; say whether the run is complete.

    The record is read before the metrics: once it says how the run ended, no metric follows.
    """
    state = State(folder, store.identity)
    record = record_files.read_record(folder)
    attempts = record.get("attempts", 1)
    if state.get("finished") and state.get("attempts", 1) == attempts:
        return True
    run_id = _open(store, record, state, parent)
    if attempts > state.get("attempts", 1):
        _go_on(store, record, run_id, parent)
        state.set(attempts=attempts, finished=False)
    light = state.get("light")
    if not light:
        _send_metrics(store, folder, state)
    if (end := records.ending(record)) is None:
        return False
    status, error = end
    metrics = _results(store, record, folder)
    log(
        store, run_id, metrics=metrics, params=subject(folder),
        tags=_end_tags(record, error, state),
    )  # fmt: skip
    if not light:
        _send_files(store, folder, record, run_id, error)
        if record["model"] and status == records.FINISHED:
            models.deliver(store, folder, record, run_id)
    store.client.set_terminated(run_id, status, record["ended"] or records.last_sign(folder))
    state.set(finished=True, status=status)
    return True


def find(store: Store, tag: str, value: str, *more: str) -> str | None:
    """Return the id of the oldest run with a tag, None if there is none."""
    terms = [f"tags.`{tag}` = '{value}'", *more]
    found = store.client.search_runs(
        [store.experiment], " and ".join(terms), max_results=1, order_by=["start_time ASC"]
    )
    return str(found[0].info.run_id) if found else None


def log(
    store: Store,
    run_id: str,
    *,
    metrics: Sequence[Any] = (),
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
) -> None:
    """Send metrics (MLflow's entities), params and tags; the client cuts them into batches."""
    from mlflow.entities import Param, RunTag

    store.client.log_batch(
        run_id,
        metrics=metrics,
        params=[Param(key, value) for key, value in (params or {}).items()],
        tags=[RunTag(key, shorten(str(v))) for key, v in (tags or {}).items() if v is not None],
    )


def flatten(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield ``train_fnn.optimisation.lr`` and its value as text, for every leaf of the blocks."""
    for key, value in params.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield fit(f"{prefix}{key}"), value if isinstance(value, str) else json.dumps(value)


def results(folder: Path) -> Iterator[tuple[str, str, float]]:
    """Yield (model, metric name, value) of the metrics files kept with a run record.

    A quantity is ``test/accuracy`` whatever the model; its interval and its references
    have sections of their own in MLflow's charts.
    """
    for report in reports(folder):
        split, model = report.get("split", names.TEST), report["model"]
        for quantity, cell in report.get("metrics", {}).items():
            yield from _cell(model, f"{split}/{quantity}", cell, f"{split}_interval/{quantity}")
        for quantity, cell in report.get("reference", {}).items():
            name = f"{split}_reference/{quantity}"  # MLflow's tables sort by name
            yield from _cell(model, name, cell, f"{split}_reference_interval/{quantity}")


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


def _cell(model: str, name: str, cell: Any, interval: str) -> Iterator[tuple[str, str, float]]:
    named = {name: "value", f"{interval}/low": "low", f"{interval}/high": "high"}
    for key, field in named.items():
        if isinstance(cell, Mapping) and cell.get(field) is not None:
            yield model, metric_name(key), float(cell[field])


def _gaps(folder: Path) -> Iterator[tuple[str, float]]:
    for path in sorted((folder / "files" / names.AUDITS).glob("*.json")):
        for gap in artifacts.read_json(path).get("gaps", []):
            if gap["value"] is not None and gap["comparison"] == "difference":
                yield metric_name(f"gap/{gap['attribute']}/{gap['metric']}"), float(gap["value"])


def _open(store: Store, record: Mapping[str, Any], state: State, parent: str) -> str:
    """Return the id of the record's run; find it by its tag or make it."""
    if (known := state.get("run_id")) is not None:
        return str(known)
    run_id = find(store, "plumbline.key", record["key"])
    origin, source = record["origin"], None
    if origin == records.REFERENCE:
        made = [f"tags.`dvc.origin` != '{refers}'" for refers in REFERS]
        source = find(store, "dvc.stage_key", str(records.stage_key(record)), *made)
        source = None if source == run_id else source
        refers = UNCHANGED if record.get("unchanged") else RESTORED
        origin = refers if source else FIRST_PUBLISHED
    more = {"dvc.origin": origin, "dvc.source_run": source}
    if run_id is None:
        run_id = _create(store, record, parent, more)
    else:  # it may refer to a run that was made again since
        log(store, run_id, tags=more)
    _send_inputs(store, record, run_id)
    state.set(run_id=run_id, offset=0, undefined=0, light=origin in REFERS)
    return run_id


def went_on(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the tag of a pipeline whose stage was stopped in it and went on in a later one.

    Its value is the ``plumbline.key`` of the stage's run.
    """
    return {tags.key("plumbline.went_on", record["stage"]): record["key"]}


def _go_on(store: Store, record: Mapping[str, Any], run_id: str, parent: str) -> None:
    """Open a run again whose stage goes on after a stop, below the pipeline in which it does."""
    store.client.update_run(run_id, status=records.RUNNING)
    before = store.client.get_run(run_id).data.tags
    if "error" in before:
        store.client.delete_tag(run_id, "error")
    if before["mlflow.parentRunId"] != parent:
        log(store, before["mlflow.parentRunId"], tags=went_on(record))
    log(
        store,
        run_id,
        tags={
            **tags.of_record(record),
            "mlflow.parentRunId": parent,
            "plumbline.attempts": record["attempts"],
            **{
                f"plumbline.stopped.{number}": f"{stop['status']}: {stop['error']}"
                for number, stop in enumerate(record["stops"], start=1)
            },
        },
    )


def _create(
    store: Store, record: Mapping[str, Any], parent: str, more: Mapping[str, str | None]
) -> str:
    more = {"mlflow.parentRunId": parent, **more, **tags.of_record(record)}
    kept = {key: value for key, value in more.items() if value is not None}
    run = store.client.create_run(
        store.experiment, start_time=record["started"], tags=kept, run_name=tags.title(record)
    )
    return str(run.info.run_id)


def _send_inputs(store: Store, record: Mapping[str, Any], run_id: str) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    params = dict(flatten(record["params"]))
    log(store, run_id, params={k: shorten(v, LONGEST_PARAM) for k, v in params.items()})
    if any(len(value) > LONGEST_PARAM for value in params.values()):
        store.client.log_dict(run_id, record["params"], "params.json")
    datasets = [
        DatasetInput(
            Dataset(item["name"], item["digest"], "local", json.dumps({"uri": item["path"]})),
            [InputTag("mlflow.data.context", item.get("context", "input"))],
        )
        for item in record["inputs"]
    ]
    if datasets:
        store.client.log_inputs(run_id, datasets=datasets)


def _send_metrics(store: Store, folder: Path, state: State) -> None:
    from mlflow.entities import Metric

    lines, offset = record_files.read_metrics(folder, state.get("offset", 0))
    if offset == state.get("offset", 0):
        return
    metrics = [
        Metric(metric_name(line["k"]), line["v"], line["t"], line["s"])
        for line in lines
        if line["v"] is not None
    ]
    log(store, state.get("run_id"), metrics=metrics)
    undefined = state.get("undefined", 0) + len(lines) - len(metrics)
    state.set(offset=offset, undefined=undefined)


def _results(store: Store, record: Mapping[str, Any], folder: Path) -> list[Any]:
    from mlflow.entities import Metric

    lines, _ = record_files.read_metrics(folder)
    known = {line["k"] for line in lines}
    ended = record["ended"] or records.last_sign(folder)
    rows: list[tuple[str, float, str | None]] = [(k, v, None) for k, v in _gaps(folder)]
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
    store: Store, folder: Path, record: Mapping[str, Any], run_id: str, error: str | None
) -> None:
    for path in record["artifacts"]:
        kept = folder / "files" / path
        place = Path(path).parent.as_posix()
        if kept.is_dir():
            store.client.log_artifacts(run_id, str(kept), path)
        elif kept.exists():
            store.client.log_artifact(run_id, str(kept), place if place != "." else None)
    if error and len(error) > LONGEST_TAG:
        store.client.log_text(run_id, error, "error.txt")
