"""Pages of MLflow's UI that show a pipeline and compare its models, as addresses below the server.

Without ``workflowType`` MLflow opens its pages for language model traces, which are empty here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from plumbline import catalog
from plumbline.runs import record_files
from plumbline.tracking.state import State
from plumbline.tracking.store import Store

_TRAINING = "workflowType=machine_learning"


ALL_MODELS = "all-models"  # id of a view


def models(store: Store, view: str = ALL_MODELS, *, charts: bool = False) -> str:
    """Return the page of a prepared view of the model runs; see `model_runs.views`.

    Parameters
    ----------
    store : Store
    view : str
        Of all models, or the name of one.
    charts : bool
        Whether charts are shown rather than the list.
    """
    more = "&compareRunsMode=CHART" if charts else ""
    return f"#/experiments/{store.models}/runs?viewStateShareKey={view}&{_TRAINING}{more}"


def runs(store: Store) -> str:
    """Return the page of all pipelines and their stages."""
    return f"#/experiments/{store.experiment}/runs?{_TRAINING}"


def run(store: Store, run_id: str, tab: str = "") -> str:
    """Return the page of a run, or its tab: ``model-metrics`` or ``artifacts``."""
    place = f"/{tab}" if tab else ""
    return f"#/experiments/{store.experiment}/runs/{run_id}{place}?{_TRAINING}"


def model_run(store: Store, run_id: str, tab: str = "") -> str:
    """Return the page of a model run, or a tab of it; see `run`."""
    place = f"/{tab}" if tab else ""
    return f"#/experiments/{store.models}/runs/{run_id}{place}?{_TRAINING}"


def logged_model(store: Store, model_id: str, tab: str = "") -> str:
    """Return the page of a logged model, or its tab ``artifacts``."""
    place = f"/{tab}" if tab else ""
    return f"#/experiments/{store.experiment}/models/{model_id}{place}?{_TRAINING}"


def version(name: str, number: int) -> str:
    """Return the page of a version of a registered model."""
    return f"#/models/{quote(name)}/versions/{number}?{_TRAINING}"


def comparison(store: Store, run_ids: Sequence[str]) -> str:
    """Return the page that shows model runs side by side."""
    experiments = _words([store.models])
    return f"#/compare-runs?runs={_words(run_ids)}&experiments={experiments}&{_TRAINING}"


def newest_pipeline(store: Store, home: Path) -> str | None:
    """Return the page of the pipeline that began last, None if there is none.

    Which began last is told by the run records below ``home``; without records by the store.
    """
    every = record_files.summaries(home).values()
    began = [attempt for one in every for attempt in one.attempts]
    for _, key in sorted(began, reverse=True):
        folder = home / record_files.WORK / "pipelines" / key
        if (known := State(folder, store.identity).get("run_id")) is not None:
            return run(store, str(known))
    found = store.client.search_runs(
        [store.experiment],
        "tags.`plumbline.pipeline` LIKE '%'",
        max_results=1,
        order_by=["start_time DESC"],
    )
    return run(store, str(found[0].info.run_id)) if found else None


def links(store: Store, models: Mapping[str, str]) -> str:
    """Return a line of Markdown with links that compare the models of a pipeline.

    Parameters
    ----------
    store : Store
    models : mapping of str to str
        The model of each model run, by run id. MLflow draws only metrics that all compared runs
        have: models of one data set are compared among themselves too.

    Returns
    -------
    str
        Empty if there are fewer than two runs.
    """
    groups: dict[str, list[str]] = {"all models": list(models)}
    for run_id, model in models.items():
        spec = catalog.models().get(model)
        groups.setdefault(spec.dataset if spec else "other", []).append(run_id)
    told = [
        f"[{group}]({comparison(store, members)})"
        for group, members in groups.items()
        if len(members) > 1
    ]
    return f"Compare {', '.join(told)}" if told else ""


def _words(values: Sequence[str]) -> str:
    return quote(json.dumps(list(values), separators=(",", ":")))
