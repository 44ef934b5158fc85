"""A model run becomes an MLflow run, once per pipeline and model.

A pipeline that ran no stage of a model, and left what the model's newest run shows, gets no run of
its own: the list holds what was tried, not how often the pipeline was asked.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from plumbline.runs import experiments, record_files, records
from plumbline.tracking import models, pages, runs
from plumbline.tracking.model_runs import facts as model_facts
from plumbline.tracking.model_runs import shown, views
from plumbline.tracking.model_runs.facts import ModelFacts
from plumbline.tracking.model_runs.short_names import short_name
from plumbline.tracking.sending import REFUSED, RunRefusedError, Sending
from plumbline.tracking.state import State
from plumbline.tracking.store import Store
from plumbline.tracking.tags import shorten

_MARK = "plumbline.model_run"  # tag: key of the pipeline and name of the model
_EARLIER = 20  # runs among which the one before is looked for


def deliver(
    store: Store,
    home: Path,
    key: str,
    found: Mapping[Path, Mapping[str, Any]],
    changed: Mapping[str, Any],
    state: State,
) -> tuple[dict[str, str], dict[str, str]]:
    """Send the model runs of a pipeline that has ended.

    Parameters
    ----------
    store : Store
    home : Path
        The main work tree.
    key : str
        Of the pipeline.
    found : mapping of Path to mapping
        Its records by their folders.
    changed : mapping
        Parameters in which an experiment differs from its baseline, by dotted name.
    state : State
        Delivery of the pipeline; its ``models`` are set.

    Returns
    -------
    tuple of dict
        By model the id of the run that shows it, be it of an earlier pipeline; by name what the
        store, or a damaged report, did not let through, with the reason.
    """
    own = replace(store, experiment=store.models)
    shown_by: dict[str, str] = dict(state.get("models", {}))
    refused: dict[str, str] = {}
    new = []
    for facts in model_facts.read(found, _Durations(home)):
        refused |= {f"{facts.model}: {name}": why for name, why in facts.problems.items()}
        if facts.model in shown_by:
            continue
        try:
            delivery = _Delivery(own, store, key, facts, changed, str(state.get("run_id")))
            shown_by[facts.model] = delivery.run()
            refused |= {f"{facts.model}: {name}": why for name, why in delivery.refused.items()}
            if delivery.is_new:
                new.append(facts)
        except RunRefusedError as error:
            refused[f"model run of {facts.model}"] = str(error)[:300]
        state.set(models=shown_by)
    if new:
        views.refresh(store, [facts.model for facts in new])
        views.write_addresses(store, home)
    return shown_by, refused


class _Durations(Mapping[str, float]):
    """Seconds that stages took in any pipeline, by `records.stage_key`; read when first asked."""

    def __init__(self, home: Path) -> None:
        self._home = home

    @functools.cached_property
    def _known(self) -> dict[str, float]:
        found = map(record_files.read_record, record_files.read_all(self._home))
        return {
            str(records.stage_key(record)): seconds
            for record in found
            if record["origin"] == records.EXECUTED and record["model"]
            if (seconds := model_facts.duration(record)) is not None
        }

    def __getitem__(self, name: str) -> float:
        return self._known[name]

    def __iter__(self) -> Any:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class _Delivery:
    def __init__(
        self, own: Store, store: Store, key: str, facts: ModelFacts, changed: Mapping[str, Any],
        above: str,
    ) -> None:  # fmt: skip
        self._store, self._stages, self._facts = own, store, facts
        self._above = above
        self._changed = changed
        self._mark = (_MARK, f"{key}/{facts.model}")
        self.refused: dict[str, str] = {}
        self.is_new = False

    def run(self) -> str:
        """Return the id of the run that shows the model; make and fill it if there is none."""
        facts = self._facts
        earlier = _earlier(self._store, facts)
        known = runs.find(self._store, *self._mark)
        if known is None:
            same = next(iter(earlier), None)
            if same and not facts.executed and _tag(same, "plumbline.content") == facts.content:
                return str(same.info.run_id)
            run = self._store.client.create_run(
                self._store.experiment,
                start_time=facts.started,
                tags=dict([self._mark]),
                run_name=run_name(facts),
            )
            known = str(run.info.run_id)
        elif REFUSED in self._store.client.get_run(known).data.tags:
            self._store.client.delete_tag(known, REFUSED)
        self.is_new = True
        self._send(known, earlier)
        return known

    def _send(self, run_id: str, earlier: list[Any]) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric

        facts, client = self._facts, self._store.client
        sending = Sending(self._store, run_id, self._mark, {})
        changed = self._describe_change(earlier)
        links = self._links(run_id)
        sending.log(
            params={k: shorten(v, runs.LONGEST_PARAM) for k, v in facts.params.items()},
            metrics=[Metric(k, v, facts.ended, 0) for k, v in facts.metrics.items()],
            tags={
                **shown.tag_values(facts, changed),
                "mlflow.source.name": "dvc repro",
                "mlflow.source.type": "PROJECT",
                "mlflow.source.git.commit": facts.tags.get("git.commit"),
                "mlflow.note.content": shown.description(facts, changed, links),
            },
        )
        if data := facts.dataset:
            source = json.dumps({"uri": data["path"]})
            dataset = Dataset(data["name"], data["digest"], "local", source)
            given = DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])
            sending.part("data set", lambda: client.log_inputs(run_id, datasets=[given]))
        if linked := self._unlinked(run_id):
            output = [LoggedModelOutput(linked, 0)]
            sending.part("link to the model", lambda: client.log_outputs(run_id, output))
        for name, path in facts.files.items():
            place = Path(name).parent.as_posix()
            send = functools.partial(client.log_artifact, run_id, str(path), place)
            sending.part(f"artifact {name}", send)
        table = shown.metric_table(facts)
        sending.part("artifact metrics.csv", lambda: client.log_text(run_id, table, "metrics.csv"))
        sending.finish(records.FINISHED, max(facts.ended, facts.started))
        self.refused = sending.refused

    def _unlinked(self, run_id: str) -> str | None:
        """Return the id of the logged model if the store has it and the run does not name it."""
        digest = self._facts.digests.get(f"data/models/{self._facts.model}")
        model_id = models.find(self._stages, digest) if digest else None
        outputs = self._store.client.get_run(run_id).outputs
        known = {output.model_id for output in outputs.model_outputs} if outputs else set()
        return model_id if model_id not in known else None

    def _links(self, run_id: str) -> dict[str, str]:
        model = self._facts.model
        return {
            f"experiments with {model}": pages.models(self._store, model),
            "all models": pages.models(self._store),
            "its files": pages.run(self._store, run_id, "artifacts"),
            "the pipeline and its stages": pages.run(self._stages, self._above),
        }

    def _describe_change(self, earlier: list[Any]) -> str:
        """Return ``hidden=[128, 64]``: what differs from the baseline, or from the run before."""
        facts = self._facts
        if facts.experiment:
            named = {short_name(name): value for name, value in self._changed.items()}
            known = {name: facts.params[name] for name in named if name in facts.params}
            return ", ".join(f"{name}={value}" for name, value in known.items())
        before = next((run for run in earlier if not _tag(run, experiments.NAME)), None)
        if before is None:
            return ""
        differing = {
            name: facts.params.get(name)
            for name in {**facts.params, **before.data.params}
            if facts.params.get(name) != before.data.params.get(name)
        }
        if not differing and _tag(before, "dvc.model") != facts.digests.get(
            f"data/models/{facts.model}"
        ):
            return "code or environment"
        return ", ".join(f"{n}={v if v is not None else 'gone'}" for n, v in differing.items())


def run_name(facts: ModelFacts) -> str:
    """Return ``fnn · wide`` of an experiment, else ``fnn · 5d0ac70`` with the commit."""
    what = facts.experiment or facts.tags.get("git.commit", "")[:7]
    return f"{facts.model} · {what}".strip(" ·")[: runs.LONGEST_NAME]


def _earlier(store: Store, facts: ModelFacts) -> list[Any]:
    """Return the runs of the model that began before, the newest first."""
    terms = f"tags.model = '{facts.model}' and attributes.start_time < {facts.started}"
    found = store.client.search_runs(
        [store.experiment], terms, max_results=_EARLIER, order_by=["start_time DESC"]
    )
    return list(found)


def _tag(run: Any, name: str) -> str:
    return str(run.data.tags.get(name, ""))
