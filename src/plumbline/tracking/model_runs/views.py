"""Prepared views of MLflow's run list: its columns, order and charts, opened by an address.

MLflow 3 keeps a shared view of an experiment in a tag ``mlflow.sharedViewState.<id>``. What the tag
holds is no public interface: a release that does not know it opens the plain list of model runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from plumbline import artifacts, catalog, names
from plumbline.runs import record_files
from plumbline.tracking import pages
from plumbline.tracking.model_runs.facts import LARGEST_GAP, PARAMETERS, TRAIN_SECONDS
from plumbline.tracking.store import Store, shown_address

_TAG = "mlflow.sharedViewState."
_NEWEST = 50  # runs of a model among which parameters that differ are looked for
_MOST_PARAMS = 8  # columns
_WIDTHS = {
    "changed": 170, "main metric": 215, "largest gap": 260, "verdict": 105, "gate": 75,
    "dataset": 100,
}  # fmt: skip
_COLUMNS = {"Differences": 1, "Quality": 2, "Fairness": 2, "Cost": 2}  # charts beside each other
_FIRST = ("changed", "main metric", "verdict", "gate", "largest gap")  # the long one last


def refresh(store: Store, models: Iterable[str]) -> None:
    """Write the views of models that have new runs, that of all models, and the experiment's note.

    What is there already is not written again.
    """
    found = store.client.get_experiment(store.models)
    made, tags = found.creation_time, dict(found.tags)
    wanted = {_TAG + model: _view_of(store, model, made) for model in models}
    wanted[_TAG + pages.ALL_MODELS] = all_models_view(made)
    known = {tag.removeprefix(_TAG) for tag in (*tags, *wanted) if tag.startswith(_TAG)}
    wanted["mlflow.note.content"] = note(store, sorted(known - {pages.ALL_MODELS}))
    for tag, value in wanted.items():
        if tags.get(tag) != value:
            store.client.set_experiment_tag(store.models, tag, value)


def write_addresses(store: Store, home: Path) -> None:
    """Write the addresses of the views where `plumbline repro` finds them without MLflow."""
    found = {"store": shown_address(home), "models": pages.models(store)}
    artifacts.write_json(home / record_files.VIEWS, found)


def note(store: Store, models: Sequence[str]) -> str:
    """Return the note of the experiment: links to its views."""
    links = [
        f"[all models]({pages.models(store)}) ([charts]({pages.models(store, charts=True)}))",
        *(f"[{model}]({pages.models(store, model)})" for model in models),
    ]
    return f"One run per pipeline and model. Views: {' · '.join(links)}"


def all_models_view(made: int) -> str:
    """Return the value of the tag with the view of all models, newest runs first.

    Parameters
    ----------
    made : int
        Time that MLflow shows as that of its making, in milliseconds.
    """
    mains = dict.fromkeys(spec.main_metric for spec in catalog.models().values())
    metrics = [names.metric(names.TEST, quantity) for quantity in mains]
    columns = [*map(_tag_column, (*_FIRST, "dataset")), *map(_metric_column, (TRAIN_SECONDS,))]
    return _view(
        "All models",
        made,
        query="",
        order=("attributes.start_time", False),
        columns=columns,
        charts=_charts(metrics, [], metrics[0]),
    )


def model_view(
    model: str, made: int, *, main: str, metrics: Sequence[str], params: Sequence[str]
) -> str:
    """Return the value of the tag with the view of one model, the best run first.

    Parameters
    ----------
    model : str
    made : int
        See `all_models_view`.
    main : str
        The main metric as it is logged, e.g. ``test/auroc``.
    metrics : sequence of str
        The other metrics of the test split.
    params : sequence of str
        Parameters that differ between runs of the model.
    """
    quantity = main.partition("/")[2]
    columns = [
        _tag_column("changed"), _metric_column(main), _metric_column(LARGEST_GAP),
        _tag_column("verdict"), _tag_column("gate"), *(f"params.`{name}`" for name in params),
        *map(_metric_column, metrics),
    ]  # fmt: skip
    return _view(
        f"{model}: experiments",
        made,
        query=f"tags.model = '{model}'",
        order=(_metric_column(main), not names.more_is_better(quantity)),
        columns=columns,
        charts=_charts([main, *metrics], params, main),
    )


def _view_of(store: Store, model: str, made: int) -> str:
    found = store.client.search_runs(
        [store.models],
        f"tags.model = '{model}'",
        max_results=_NEWEST,
        order_by=["start_time DESC"],
    )
    every = [run.data.params for run in found]
    differing = [
        name
        for name in dict.fromkeys(name for params in every for name in params)
        if len({params[name] for params in every if name in params}) > 1
    ]
    measured = found[0].data.metrics if found else {}
    tests = [name for name in measured if name.startswith(f"{names.TEST}/")]
    quantity = catalog.models()[model].main_metric if model in catalog.models() else ""
    main = names.metric(names.TEST, quantity)
    if main not in tests:
        main = next(iter(tests), main)
    return model_view(
        model,
        made,
        main=main,
        metrics=sorted(set(tests) - {main}),
        params=differing[:_MOST_PARAMS],
    )


def _view(
    name: str,
    made: int,
    *,
    query: str,
    order: tuple[str, bool],
    columns: Sequence[str],
    charts: Mapping[str, Sequence[Mapping[str, Any]]],
) -> str:
    sections = [
        {"uuid": _uuid(section), "name": section, "display": True, "isReordered": True,
         "deleted": False, "isGenerated": False, "columns": _COLUMNS[section],
         "cardHeight": 360}
        for section in charts
    ]  # fmt: skip
    state = {
        "searchFilter": query,
        "orderByKey": order[0],
        "orderByAsc": order[1],
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(columns),
        "columnOrder": list(columns),
        "columnWidths": {column: _width(column) for column in columns},
        "runsHiddenMode": "FIRST_20_RUNS",
        "compareRunCharts": [
            {
                "uuid": _uuid(f"{section} {chart['displayName']}"),
                "metricSectionId": _uuid(section),
                "runsCountToCompare": 20,
                "deleted": False,
                "isGenerated": False,
                **chart,
            }
            for section, some in charts.items()
            for chart in some
        ],
        "compareRunSections": sections,
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": True,
        "groupBy": None,
        "groupsExpanded": {},
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "globalLineChartConfig": {
            "xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""
        },
        "chartsSearchFilter": "",
    }  # fmt: skip
    return _json({"name": name, "createdAt": made, "updatedAt": made, "state": _json(state)})


def _charts(
    metrics: Sequence[str], params: Sequence[str], main: str
) -> dict[str, list[dict[str, Any]]]:
    """Return the charts of the compare mode by section."""
    differences = {
        "type": "DIFFERENCE", "displayName": "What differs", "chartName": "What differs",
        "compareGroups": ["Parameters", "Model metrics", "Tags"],
        "showChangeFromBaseline": True, "showDifferencesOnly": True, "baselineColumnUuid": "",
    }  # fmt: skip
    parallel = {
        "type": "PARALLEL", "displayName": f"Parameters and {main}", "showAllRuns": False,
        "selectedParams": list(params), "selectedMetrics": [main],
    }  # fmt: skip
    scatter = {
        "type": "SCATTER", "displayName": f"{main} and largest gap",
        "xaxis": {"key": LARGEST_GAP, "type": "METRIC"}, "yaxis": {"key": main, "type": "METRIC"},
    }  # fmt: skip
    return {
        "Differences": [differences, *([parallel] if params else [])],
        "Quality": [_bar(name) for name in metrics],
        "Fairness": [_bar(LARGEST_GAP), scatter],
        "Cost": [_bar(TRAIN_SECONDS), _bar(PARAMETERS)],
    }


def _bar(metric: str) -> dict[str, Any]:
    # MLflow titles a bar chart by its metric, whatever its name.
    return {"type": "BAR", "displayName": metric, "metricKey": metric, "dataAccessKey": metric}


def _tag_column(name: str) -> str:
    return f"tags.`{name}`"


def _metric_column(name: str) -> str:
    return f"metrics.`{name}`"


def _width(column: str) -> int:
    """Return the width in pixels in which a column's name and the sign of its order fit."""
    name = column.partition("`")[2].rstrip("`")
    return _WIDTHS.get(name, max(100, 50 + 7 * len(name)))


def _uuid(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
