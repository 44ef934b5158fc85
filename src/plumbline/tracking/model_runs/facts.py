"""Parameters, results and files of one model in one pipeline, read from its run records."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from plumbline import artifacts, names
from plumbline.errors import PlumblineError
from plumbline.runs import experiments, records
from plumbline.tracking.model_runs.short_names import short_params
from plumbline.tracking.tags import metric_name

LARGEST_GAP, TRAIN_SECONDS, PARAMETERS = "largest_gap", "train_seconds", "parameters"
_GATE_ORDER = ("fail", "warn", "pass")
_DIGITS = 5  # of a metric: a cell of MLflow's list shows every digit that it has
# Tags of a model run with the DVC hashes of its outputs.
DIGEST_TAGS = {
    "dvc.model": "data/models/{model}",
    "dvc.predictions": "data/predictions/{model}.parquet",
}


class Piece(NamedTuple):
    """The run record of the stage that made an output."""

    folder: Path
    record: Mapping[str, Any]

    def file(self, out: str) -> Path:
        """Return where the record keeps an output."""
        return self.folder / "files" / out


@dataclass(frozen=True)
class ModelFacts:
    """A model as one pipeline left it.

    Attributes
    ----------
    model : str
    report, audit : mapping
        ``reports/metrics/<model>.json`` and ``reports/audits/<model>.json``; an audit is empty
        where there is none.
    gate : {'PASS', 'WARN', 'FAIL', 'no rule', 'not run'}
        The worst result of the policy's rules about the model. It does not depend on the day.
    params : dict of str to str
        What it was trained with, by short names; see `short_params`.
    metrics : dict of str to float
    digests : dict of str to str
        DVC hashes of its outputs, by path.
    dataset : mapping
        ``name``, ``digest`` and ``path`` of its training data; empty if no record says so.
    pretrained : str
        Origin, licence and digest of the weights that its fit started from; empty without any.
    files : dict of str to Path
        Files that its run shows, by name.
    executed : bool
        Whether the pipeline ran a stage of the model, rather than find all of them up to date.
    started, ended : int
        Of those of its stages that ran, else of all; milliseconds.
    tags : dict of str to str
        Of the pipeline's code, see `provenance.code_tags`.
    problems : dict of str to str
        Reports that could not be read, and why.
    """

    model: str
    report: Mapping[str, Any]
    audit: Mapping[str, Any]
    gate: str
    params: dict[str, str]
    metrics: dict[str, float]
    digests: dict[str, str]
    dataset: Mapping[str, str]
    pretrained: str
    files: dict[str, Path]
    executed: bool
    started: int
    ended: int
    tags: Mapping[str, str]
    problems: dict[str, str]

    @property
    def content(self) -> str:
        """Digest of everything that the model's run shows and that is no time."""
        text = artifacts.dump_json([self.digests, self.gate, self.params, dict(self.dataset)])
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def worst(self) -> Mapping[str, Any]:
        """The largest group gap of the audit, empty if there is none."""
        return self.audit.get("worst") or {}

    @property
    def experiment(self) -> str:
        """Name of the DVC experiment, empty outside one."""
        return self.tags.get(experiments.NAME, "")


def read(
    found: Mapping[Path, Mapping[str, Any]], seconds: Mapping[str, float]
) -> Iterator[ModelFacts]:
    """Yield the facts of every model that a pipeline has a metrics report of.

    Parameters
    ----------
    found : mapping of Path to mapping
        The records of the pipeline by their folders.
    seconds : mapping of str to float
        Duration of stages that earlier pipelines ran, by `records.stage_key`.
    """
    made = {
        out: Piece(folder, record)
        for folder, record in found.items()
        if not record["moved"] and not record.get("lab")
        for out in record["outs"]
    }
    failed_gate = next((r for r in found.values() if r["stage"] == "gate" and r["error"]), None)
    for out in [out for out in made if Path(out).parent == names.METRICS_DIR]:
        yield _facts(Path(out).stem, made, seconds, failed_gate)


def _facts(
    model: str,
    made: Mapping[str, Piece],
    seconds: Mapping[str, float],
    failed_gate: Mapping[str, Any] | None,
) -> ModelFacts:
    problems: dict[str, str] = {}
    folder, report_file = names.MODEL_DIR / model, names.METRICS_DIR / f"{model}.json"
    own = {out: made[out] for out in map(Path.as_posix, outs(model)) if out in made}
    report = _read(own, report_file, problems)
    audit = _read(own, names.AUDITS / f"{model}.json", problems)
    config = _read(own, folder / "config.json", problems, made_by=folder)
    train = own.get(folder.as_posix())
    dataset = _training_data(train)
    prepared = made.get(dataset.get("path", ""))
    metrics = dict(measured(report, audit, problems))
    for name, value in (
        (TRAIN_SECONDS, _seconds(train, seconds)),
        (PARAMETERS, config.get("parameters")),
    ):
        if isinstance(value, int | float):
            metrics[name] = float(value)
    pieces = list(own.values())
    ran = [p for p in pieces if p.record["origin"] == records.EXECUTED]
    timed = ran or pieces
    return ModelFacts(
        model=model,
        report=report,
        audit=audit,
        gate=_gate(model, made, failed_gate, problems),
        params=short_params(
            train.record["params"] if train else {}, prepared.record["params"] if prepared else {}
        ),
        metrics=metrics,
        digests={out: piece.record["outs"][out] for out, piece in own.items()},
        dataset=dataset,
        pretrained=_pretrained(config),
        files=_files(model, own),
        executed=bool(ran),
        started=min(piece.record["started"] for piece in timed),
        ended=max(piece.record["ended"] or piece.record["started"] for piece in timed),
        tags=own[report_file.as_posix()].record["tags"],
        problems=problems,
    )


def outs(model: str) -> list[Path]:
    """Return the outputs of a model that its run is about."""
    reports = (
        names.METRICS_DIR / f"{model}.json", names.AUDITS / f"{model}.json",
        names.AUDITS / f"{model}.md", names.CARDS / f"{model}.md",
        names.FIGURES / f"audit_{model}.svg", names.HISTORY_DIR / f"{model}.csv",
    )  # fmt: skip
    return [names.MODEL_DIR / model, names.PREDICTIONS / f"{model}.parquet", *reports]


def _files(model: str, own: Mapping[str, Piece]) -> dict[str, Path]:
    """Return the reports of a model by the names under which its run shows them."""
    kept = {out: piece.file(out) for out, piece in own.items() if out.startswith("reports/")}
    return {out.removeprefix("reports/"): path for out, path in kept.items() if path.is_file()}


def _read(
    own: Mapping[str, Piece], out: Path, problems: dict[str, str], made_by: Path | None = None
) -> dict[str, Any]:
    piece = own.get((made_by or out).as_posix())
    if piece is None or not piece.file(out.as_posix()).is_file():
        return {}
    try:
        found = artifacts.read_json(piece.file(out.as_posix()))
        return dict(found)
    except (PlumblineError, ValueError, TypeError, OSError) as error:
        problems[out.as_posix()] = f"{type(error).__name__}: {error}"
        return {}


def measured(
    report: Mapping[str, Any], audit: Mapping[str, Any], problems: dict[str, str] | None = None
) -> Iterator[tuple[str, float]]:
    """Yield the metrics of a model run; ``problems`` takes those that cannot be read."""
    problems = {} if problems is None else problems
    split = report.get("split", names.TEST)
    for quantity, cell in dict(report.get("metrics", {})).items():
        try:
            if cell["value"] is not None:
                yield metric_name(f"{split}/{quantity}"), rounded(float(cell["value"]))
        except (TypeError, ValueError, LookupError) as error:
            problems[f"metric {quantity}"] = f"{type(error).__name__}: {error}"
    try:
        if (value := (audit.get("worst") or {}).get("value")) is not None:
            yield LARGEST_GAP, rounded(abs(float(value)))  # less is better, whatever its sign
    except (TypeError, ValueError, AttributeError) as error:
        problems[LARGEST_GAP] = f"{type(error).__name__}: {error}"


def rounded(value: float) -> float:
    """Return a value with five significant digits."""
    return float(f"{value:.{_DIGITS}g}")


def _pretrained(config: Mapping[str, Any]) -> str:
    if not (found := dict(config.get("facts") or {}).get("pretrained")):
        return ""
    licence = found["licence"] or "licence not stated"
    return f"{found['origin']}, {licence}, sha256 {found['sha256'][:12]}"


def _training_data(train: Piece | None) -> Mapping[str, str]:
    inputs = train.record["inputs"] if train else []
    prepared = (item for item in inputs if item["path"].startswith(f"{names.PREPARED.as_posix()}/"))
    return next(prepared, {})


def _seconds(train: Piece | None, known: Mapping[str, float]) -> float | None:
    if train is None:
        return None
    if train.record["origin"] == records.EXECUTED:
        return duration(train.record)
    return known.get(str(records.stage_key(train.record)))


def duration(record: Mapping[str, Any]) -> float | None:
    """Return how many seconds a stage ran; None if it has not ended or was stopped repeatedly.

    Of a stage that was stopped once, the time between its two attempts does not count.
    """
    stops = record.get("stops", [])
    if not record["ended"] or len(stops) > 1:
        return None
    attempts = [(record.get("begun", record["started"]) if stops else record["started"],
                 record["ended"])]  # fmt: skip
    attempts += [(record["started"], stop["ended"]) for stop in stops]
    return round(float(sum(end - start for start, end in attempts)) / 1000, 1)


def _gate(
    model: str,
    made: Mapping[str, Piece],
    failed: Mapping[str, Any] | None,
    problems: dict[str, str],
) -> str:
    out = names.GATE_REPORT.as_posix()
    if out not in made or not made[out].file(out).is_file():
        if failed is not None and re.search(rf"\b{re.escape(model)}\b", failed["error"]):
            return "FAIL"
        return "not run" if failed is None else "not known"
    return gate_result(_read(made, names.GATE_REPORT, problems), model)


def gate_result(report: Mapping[str, Any], model: str) -> str:
    """Return the worst result of the rules of ``reports/gate.json`` about a model."""
    results = {rule["result"] for rule in report.get("rules", []) if rule.get("model") == model}
    return next((one.upper() for one in _GATE_ORDER if one in results), "no rule")
