"""Rows and claims of studies become a table, metrics and tags of MLflow runs.

The stage of a study has a run; claims are judged by a later stage, for all studies of a laboratory,
and are logged to the run of the study whose rows were judged.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from plumbline import artifacts
from plumbline.studies.framework import study
from plumbline.tracking import tags
from plumbline.tracking.sending import Sending
from plumbline.tracking.store import Store

TABLE = "rows.json"


def deliver(store: Store, record: Mapping[str, Any], folder: Path, sending: Sending) -> None:
    """Send rows or claims that are kept with the record of a stage that has ended.

    A study without a run in the store, made elsewhere, is left out: its page has the claims.
    """
    for path in _kept(folder, study.ROWS):
        send = functools.partial(_log_table, store, path, sending.run_id)
        sending.part(f"artifact {TABLE}", send)
    for path in _kept(folder, study.CLAIMS):
        rows = path.with_name(study.ROWS).relative_to(folder / "files").as_posix()
        run_id = _run_of(store, rows, record["deps"].get(rows, ""))
        if run_id is not None:
            name, document = f"claims of {path.parent.name}", artifacts.read_json(path)
            when = record["ended"] or record["started"]
            sending.part(name, functools.partial(_log_claims, store, run_id, document, when))


def claim_tags(document: Mapping[str, Any]) -> dict[str, str]:
    """Return ``claim.<id>``: the verdict, the statement that it is about, and what is measured."""
    return {
        tags.key(
            "claim", claim["id"]
        ): f"{claim['verdict']}: {claim['statement']} ({claim['effect']})"
        for claim in document["claims"]
    }


def claim_values(document: Mapping[str, Any]) -> dict[str, float]:
    """Return ``claim/<id>``, with ``/low`` and ``/high``; what is undefined is left out."""
    found = {
        f"claim/{claim['id']}{end}": claim[key]
        for claim in document["claims"]
        for end, key in (("", "estimate"), ("/low", "low"), ("/high", "high"))
    }
    return {tags.metric_name(k): float(v) for k, v in found.items() if v is not None}


def _log_claims(store: Store, run_id: str, document: Mapping[str, Any], when: int) -> None:
    from mlflow.entities import Metric, RunTag

    values, told = claim_values(document), claim_tags(document)
    store.client.log_batch(
        run_id,
        metrics=[Metric(name, value, when, 0) for name, value in values.items()],
        tags=[RunTag(name, tags.shorten(text)) for name, text in told.items()],
    )


def _kept(folder: Path, name: str) -> Iterator[Path]:
    yield from sorted((folder / "files" / study.RESULTS).glob(f"*/*/{name}"))


def _run_of(store: Store, rows: str, digest: str) -> str | None:
    """Return the id of the oldest run that made rows."""
    term = f"tags.`{tags.key('out', rows)}` = '{digest}'"
    found = store.client.search_runs(
        [store.experiment], term, max_results=1, order_by=["start_time ASC"]
    )
    return str(found[0].info.run_id) if found else None


def _log_table(store: Store, path: Path, run_id: str) -> None:
    """Log rows once: MLflow would append them to a table that is there."""
    if any(each.path == TABLE for each in store.client.list_artifacts(run_id)):
        return
    rows, _ = artifacts.read_table(path)
    store.client.log_table(run_id, data=rows, artifact_file=TABLE)
