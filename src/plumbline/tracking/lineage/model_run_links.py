"""Lineage between ``dvc.lock`` and model runs: hashes, parameters, metrics and files of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from plumbline import artifacts, names
from plumbline.errors import PlumblineError
from plumbline.runs import dvc_files
from plumbline.runs.findings import LOCK_MODEL_RUN, LineageReport
from plumbline.tracking import runs
from plumbline.tracking.fetch import fetched_folder
from plumbline.tracking.model_runs import facts
from plumbline.tracking.model_runs.short_names import short_params
from plumbline.tracking.store import Store
from plumbline.tracking.tags import shorten

_CURE = "`plumbline sync --rebuild` makes it again from the run records"
_NEWEST = 20  # runs of a model with the same outputs that are looked at


def check(store: Store, entries: Mapping[str, dvc_files.LockEntry], report: LineageReport) -> None:
    """Check that each measured model of a lock has a model run that shows what the lock records.

    Of several runs of the same model the one that agrees is taken, else the newest is compared.
    """
    made = {out: entry for entry in entries.values() for out in entry.outs}
    for out in made:
        if Path(out).parent == names.METRICS_DIR and Path(out).suffix == ".json":
            _check_model(store, Path(out).stem, made, report)


def _check_model(
    store: Store, model: str, made: Mapping[str, dvc_files.LockEntry], report: LineageReport
) -> None:
    own = {out: made[out] for out in map(Path.as_posix, facts.outs(model)) if out in made}
    digests = {out: entry.outs[out] for out, entry in own.items()}
    terms = [f"tags.model = '{model}'"]
    for tag, out in facts.DIGEST_TAGS.items():
        if digest := digests.get(out.format(model=model)):
            terms.append(f"tags.`{tag}` = '{digest}'")
    found = store.client.search_runs(
        [store.models], " and ".join(terms), max_results=_NEWEST, order_by=["start_time DESC"]
    )
    if not found:
        note = f"must have a model run with its hashes, got none; {_CURE}"
        report.add_broken(LOCK_MODEL_RUN, model, note)
        return
    compared = []
    for run in found:
        compared.append(_compared(store, run, model, made, digests))
        if not compared[-1].breaks:
            break
    whole = next((one for one in compared if not one.breaks), compared[0])
    report.add_passed(LOCK_MODEL_RUN, len(terms) + whole.passed[LOCK_MODEL_RUN])
    report.findings += whole.breaks


def _compared(
    store: Store,
    run: Any,
    model: str,
    made: Mapping[str, dvc_files.LockEntry],
    digests: Mapping[str, str],
) -> LineageReport:
    """Return the findings about one run."""
    report, name = LineageReport(), f"{model} run {run.info.run_id}"
    train = made.get((names.MODEL_DIR / model).as_posix())
    data = [dep for dep in (train.deps if train else {}) if Path(dep).parent == names.PREPARED]
    prepared = made.get(data[0]) if data else None
    params = short_params(train.params if train else {}, prepared.params if prepared else {})
    wanted = {key: shorten(value, runs.LONGEST_PARAM) for key, value in params.items()}
    for key in sorted({*wanted, *run.data.params}):
        what, got = f"{name} parameter {key}", run.data.params.get(key)
        report.compare(LOCK_MODEL_RUN, what, wanted.get(key), got, _CURE)
    with fetched_folder(store.client.tracking_uri, run.info.artifact_uri) as folder:
        for out, digest in digests.items():
            if out.startswith("reports/"):
                path = folder / out.removeprefix("reports/")
                got = dvc_files.content_hash(path) if path.is_file() else None
                report.compare(LOCK_MODEL_RUN, f"{name} artifact {out}", digest, got, _CURE)
        for key, value in _measured(folder, model):
            what, got = f"{name} metric {key}", run.data.metrics.get(key)
            report.compare(LOCK_MODEL_RUN, what, value, got, _CURE)
    return report


def _measured(folder: Path, model: str) -> Iterator[tuple[str, float]]:
    """Yield the metrics that reports of a run say; none of a damaged one, whose hash is named."""
    try:
        read = [
            artifacts.read_json(path) if path.is_file() else {}
            for path in (folder / "metrics" / f"{model}.json", folder / "audits" / f"{model}.json")
        ]
        yield from facts.measured(*read)
    except (PlumblineError, ValueError, TypeError, LookupError, AttributeError):
        return
