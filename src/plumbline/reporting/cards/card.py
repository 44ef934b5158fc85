"""Model cards in the format of the Hugging Face hub, made from files alone.

The sections follow Mitchell et al. (2019), "Model Cards for Model Reporting", arXiv:1810.03993.
Texts are in ``templates/words.yaml``, the order of the sections in ``templates/card.md.j2``. Every
number has a reference to its file, see `plumbline.reporting.references`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from plumbline import names
from plumbline.artifacts.plain_text import line
from plumbline.reporting import verdicts
from plumbline.reporting.cards.audit_context import audit_context
from plumbline.reporting.cards.classifier_context import classifier_sentences, fitted_sentences
from plumbline.reporting.cards.explanations import explanation_sentences
from plumbline.reporting.cards.facts import TEMPLATES, Facts, finished
from plumbline.reporting.cards.gradients import gradient_sentences
from plumbline.reporting.cards.model_context import (
    comparison_context,
    metric_context,
    model_context,
    text_context,
)
from plumbline.reporting.references import Book, Entry, Reference, separate
from plumbline.reporting.rendering import Safe, words

if TYPE_CHECKING:
    from jinja2 import Environment


def render_card(
    model: str, *, root: Path, owner: str, contact: str, licence: str
) -> tuple[str, list[Entry]]:
    """Return the card of a model, and the references of its numbers.

    Parameters
    ----------
    model : str
        One of `catalog.models`.
    root : Path
        Repository root; configuration, metrics, audit and comparisons of the model and the schema
        of its data are read below it.
    owner, contact, licence : str
        Texts of ``params.yaml`` for every model.

    Returns
    -------
    str
        Markdown with YAML front matter.
    list of dict
        Per printed number: ``line`` and ``column`` (from 1), ``text``, ``file``, ``key``,
        ``value`` and, where the number is not rounded as usual, ``form``.

    Raises
    ------
    ArtifactError
        If a file or a key is missing, or there are no texts for the model or its data.
    """
    facts = Facts(model, Book(root))
    body = _environment().get_template("card.md.j2").render(
        **text_context(facts),
        **model_context(facts),
        **metric_context(facts),
        **comparison_context(facts),
        **audit_context(facts),
        fitted=[*fitted_sentences(facts), *gradient_sentences(facts)],
        classes_and_decisions=classifier_sentences(facts),
        explained=explanation_sentences(facts),
        model=Safe(model),  # a name of the catalogue
        owner=owner,
        contact=contact,
        licence=licence,
    )  # fmt: skip
    body = re.sub(r"\n{3,}", "\n\n", body).rstrip() + "\n"
    front, entries = _front_matter(facts, licence)
    plain, more = separate(body, first_line=front.count("\n") + 1)
    return front + plain, entries + more


def _capitalise(text: Any) -> Any:
    return text[:1].upper() + text[1:]


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        finalize=finished,  # whatever a template inserts is escaped for Markdown
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["capitalise"] = _capitalise
    return made


# --- front matter --------------------------------------------------------------------------------


def _front_matter(facts: Facts, licence: str) -> tuple[str, list[Entry]]:
    from huggingface_hub import ModelCardData

    results = list(_eval_results(facts))
    data = ModelCardData(
        language="en" if facts.metrics["kind"] == names.LANGUAGE else None,
        license=licence,
        library_name=facts.words["library"],
        pipeline_tag=_task(facts),
        tags=facts.words["tags"],
        datasets=[facts.metrics["source"]],
        metrics=list(dict.fromkeys(result.metric_type for result, _ in results)),
        model_name=facts.model,
        eval_results=[result for result, _ in results],
    )
    front: dict[str, Any] = data.to_dict()  # type: ignore[no-untyped-call]
    text = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=2**31 - 1)
    text = f"---\n{text}---\n\n"
    values = re.finditer(r"(?m)^ +value: (\S+)$", text)  # one line per result, in their order
    entries = []
    for match, (_, reference) in zip(values, results, strict=True):
        row = text.count("\n", 0, match.start()) + 1
        column = match.start(1) - text.rindex("\n", 0, match.start(1))
        entries.append(reference.entry(row, column, match[1]))
    return text, entries


def _task(facts: Facts) -> str:
    """Return the hub's name of what the model does: one of a table may predict a number."""
    tag = str(facts.words["pipeline_tag"])
    regression = facts.metrics["kind"] == names.REGRESSION
    return tag.replace("classification", "regression") if regression else tag


def _eval_results(facts: Facts) -> Iterator[tuple[Any, Reference]]:
    from huggingface_hub import EvalResult

    def result(kind: str, name: str, reference: Reference) -> tuple[Any, Reference]:
        about = {
            "task_type": _task(facts),
            "dataset_type": facts.metrics["source"],
            "dataset_name": line(facts.schema["about"]["title"]),
            "dataset_split": facts.metrics["split"],
        }
        found = EvalResult(
            metric_type=kind, metric_name=name, metric_value=reference.value, **about
        )
        return found, reference

    for quantity, estimate in facts.metrics["metrics"].items():
        if estimate["value"] is not None:
            at = facts.book.at(facts.metrics_file, "metrics", quantity, "value", form="yaml")
            yield result(quantity, words(quantity), at)
    worst = facts.audit.get("worst")
    if worst and worst["value"] is not None:
        group = verdicts.deviating(facts.audit, worst)
        groups = (
            f"{group}, samples minus real images"
            if group
            else (f"{worst['lowest']} / {worst['highest']}")
        )
        name = (
            f"{words(worst['metric'])} {worst['comparison']} by {worst['attribute']}: "
            f"{groups} ({worst['verdict']})"
        )
        suffix = "gap" if worst["comparison"] == "difference" else "ratio"
        at = facts.book.at(facts.audit_file, "worst", "value", form="yaml")
        yield result(f"{worst['metric']}_{suffix}", line(name), at)
