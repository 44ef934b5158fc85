"""What MLflow shows of a version: a description that can be read at a glance, and tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plumbline import gate, names
from plumbline.reporting.rendering import escape
from plumbline.runs import dvc_files
from plumbline.tracking import pages
from plumbline.tracking.model_runs import shown
from plumbline.tracking.registry.evidence import FOLDER, Evidence
from plumbline.tracking.store import Store
from plumbline.tracking.tags import shorten

DIGEST, PREDICTIONS = "plumbline.digest", "dvc.predictions"
# Tags with ids; the database of MLflow does not keep that of the logged model.
MODEL_RUN, LOGGED_MODEL = "plumbline.model_run", "plumbline.logged_model"
PROMOTION = "promotion"  # tag: why the version was promoted, or not
_ABOUT_PROMOTION = "Promotion: "
LONGEST_TAG = 5000  # of a version


def tag_values(evidence: Evidence, model_id: str, run: Any | None) -> dict[str, str]:
    """Return the tags of a version.

    Parameters
    ----------
    evidence : Evidence
    model_id : str
        Of the logged model.
    run : mlflow.entities.Run or None
        The model run that shows the model; None if the store has none.
    """
    worst = evidence.audit.get("worst") or {}
    found = {
        "model": evidence.model,
        "dataset": str(evidence.report.get("dataset", shown.NONE)),
        "main metric": shown.main_metric(evidence.report),
        "largest gap": _gap(worst),
        "verdict": str(worst.get("verdict", names.INSUFFICIENT)),
        "gate": gate_status(evidence.judged),
        DIGEST: evidence.digest,
        LOGGED_MODEL: model_id,
        PREDICTIONS: evidence.predictions,
        **{evidence_tag(name): dvc_files.content_hash(p) for name, p in evidence.files.items()},
    }
    if run is not None:
        found |= {MODEL_RUN: run.info.run_id, "commit": run.data.tags.get("commit", shown.NONE)}
    return {name: shorten(value, LONGEST_TAG) for name, value in found.items()}


def evidence_tag(name: str) -> str:
    """Return the name of the tag with the hash of an attached file."""
    return f"{FOLDER}.{name}"


def gate_status(judged: tuple[gate.Judgement, ...]) -> str:
    """Return the worst status of rules that let a model pass: WARN, WAIVED or PASS."""
    found = {one.status for one in judged}
    return next((one for one in (gate.WARN, gate.WAIVED) if one in found), gate.PASS)


def description(evidence: Evidence, store: Store, model_id: str, run: Any | None) -> str:
    """Return the description of a version in Markdown: results first, then links."""
    worst = evidence.audit.get("worst") or {}
    verdict = worst.get("verdict", names.INSUFFICIENT)
    links = [
        f"[card and audit]({pages.logged_model(store, model_id, 'artifacts')}) (folder {FOLDER})"
    ]
    if run is not None:
        links.append(f"[model run]({pages.model_run(store, run.info.run_id)})")
        links.append(f"[experiments with {evidence.model}]({pages.models(store, evidence.model)})")
    return "\n\n".join(
        [
            f"Main metric: **{escape(shown.main_metric(evidence.report))}**.",
            f"Largest group gap: **{verdict}**, {escape(_gap(worst))}.",
            f"Gate: **{gate_status(evidence.judged)}** "
            f"({gate.counts(evidence.judged).removeprefix('gate: ')}).",
            f"See {' · '.join(links)}.",
        ]
    )


def with_promotion(text: str, told: str | None) -> str:
    """Return a description with the paragraph on the promotion of its version, if there is one."""
    paragraphs = [one for one in text.split("\n\n") if not one.startswith(_ABOUT_PROMOTION)]
    if told:
        paragraphs.insert(0, f"{_ABOUT_PROMOTION}{escape(told)}.")
    return "\n\n".join(paragraphs)


def _gap(worst: Mapping[str, Any]) -> str:
    if worst.get("value") is None:
        return "no gap could be estimated"
    text = f"{worst['metric']} by {worst['attribute']} {worst['value']:.3f}"
    if worst.get("low") is not None and worst.get("high") is not None:
        text += f" [{worst['low']:.3f}, {worst['high']:.3f}]"
    margin = f", margin {worst['margin']:g}" if worst.get("margin") is not None else ""
    return f"{text}{margin}"
