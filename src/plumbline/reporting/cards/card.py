"""Model cards in the form of the Hugging Face hub, filled from files alone.

The sections follow Mitchell et al. (2019), "Model Cards for Model Reporting", arXiv:1810.03993.
What is said in words stands in ``templates/words.yaml``, the order of the sections in
``templates/card.md.j2``. Every number is a `Reference`; `check_card` looks them all up again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from plumbline import names
from plumbline.reporting.cards.facts import TEMPLATES, Facts, finished
from plumbline.reporting.references import Book, Reference, check_markdown
from plumbline.reporting.rendering import words

if TYPE_CHECKING:
    from jinja2 import Environment


def render_card(model: str, *, root: Path, owner: str, contact: str, licence: str) -> str:
    """Return the card of a model as Markdown with YAML front matter.

    Parameters
    ----------
    model : str
        One of `catalog.models`.
    root : Path
        Repository root; config, metrics, audit and the data's schema are read below it.
    owner, contact, licence : str
        What ``params.yaml`` says about every model.

    Raises
    ------
    ArtifactError
        If a file or a key is missing, or there are no words for the model or its data.
    """
    facts = Facts(model, Book(root))
    body = _environment().get_template("card.md.j2").render(
        **facts.words_context(),
        **facts.model_context(),
        **facts.metric_context(),
        **facts.audit_context(),
        model=model,
        owner=owner,
        contact=contact,
        licence=licence,
    )  # fmt: skip
    body = re.sub(r"\n{3,}", "\n\n", body).rstrip() + "\n"
    return f"---\n{_front_matter(facts, licence)}---\n\n{body}"


def check_card(path: Path, root: Path) -> list[str]:
    """Look up every number of a card in the file it names; return one sentence per mismatch."""
    return check_markdown(path.read_text(encoding="utf-8"), root)


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


def _front_matter(facts: Facts, licence: str) -> str:
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
    places = iter([reference.place() for _, reference in results])
    front: dict[str, Any] = data.to_dict()  # type: ignore[no-untyped-call]
    text = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=2**31 - 1)
    # A YAML comment keeps the reference beside the value; a parser does not see it.
    return re.sub(r"(?m)^ +value: \S+$", lambda line: f"{line[0]}  # ref: {next(places)}", text)


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
            "dataset_name": " ".join(facts.schema["about"]["title"].split()),
            "dataset_split": facts.metrics["split"],
        }
        found = EvalResult(
            metric_type=kind, metric_name=name, metric_value=reference.value, **about
        )
        return found, reference

    for quantity, estimate in facts.metrics["metrics"].items():
        if estimate["value"] is not None:
            at = facts.book.at(facts.metrics_file, "metrics", quantity, "value")
            yield result(quantity, words(quantity), at)
    worst = facts.audit.get("worst")
    if worst and worst["value"] is not None:
        name = (
            f"{words(worst['metric'])} {worst['comparison']} by {worst['attribute']}: "
            f"{worst['lowest']} / {worst['highest']} ({worst['verdict']})"
        )
        suffix = "gap" if worst["comparison"] == "difference" else "ratio"
        at = facts.book.at(facts.audit_file, "worst", "value")
        yield result(f"{worst['metric']}_{suffix}", " ".join(name.split()), at)
