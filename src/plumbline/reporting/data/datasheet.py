"""The datasheet of a data set: seven sections, answered from the data or by their owner.

What a machine can answer is answered from the prepared schema and the data audit; the rest comes
from ``datasheets.yaml``. A question that neither answers is listed as open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from plumbline import artifacts, catalog, names
from plumbline.errors import ArtifactError
from plumbline.reporting.cards.facts import TEMPLATES
from plumbline.reporting.data.croissant import describe
from plumbline.reporting.rendering import Safe, bullets, escape, page, show, words

ANSWERS = "datasheets.yaml"


@dataclass(frozen=True)
class Answer:
    """A question with its answers from the data and from the owner; both may be empty."""

    key: str
    question: str
    from_data: str
    from_owner: str


def document_dataset(
    folder: Path, audit: Mapping[str, Any], *, answers: Path, maintainer: str, contact: str
) -> tuple[str, dict[str, Any]]:
    """Return the datasheet page and the Croissant description of a prepared data set.

    Parameters
    ----------
    folder : Path
        Prepared folder.
    audit : mapping
        Content of ``reports/data_audits/<dataset>.json``.
    answers : Path
        The owners' answers, ``datasheets.yaml``.
    maintainer, contact : str
    """
    schema = artifacts.read_json(folder / "schema.json")
    owner = read_answers(answers, schema["source"])
    sections = answer_questions(schema, audit, owner=owner, maintainer=maintainer, contact=contact)
    return datasheet_to_markdown(schema, sections), describe(folder, audit)


def answer_questions(
    schema: Mapping[str, Any],
    audit: Mapping[str, Any],
    *,
    owner: Mapping[str, str],
    maintainer: str,
    contact: str,
) -> dict[str, list[Answer]]:
    """Return every question with its answers, by title of the section.

    Parameters
    ----------
    schema, audit : mapping
        Content of ``schema.json`` and of ``reports/data_audits/<dataset>.json``.
    owner : mapping of str to str
        The owner's answers by key of the question.
    maintainer, contact : str

    Raises
    ------
    ArtifactError
        If an answer is to no question, or is no text.
    """
    sections = yaml.safe_load((TEMPLATES / "datasheet.yaml").read_text(encoding="utf-8"))
    known = {key for section in sections.values() for key in section["questions"]}
    for key, text in owner.items():
        if key not in known or not isinstance(text, str) or not text.strip():
            raise ArtifactError(
                f"{ANSWERS}: answers of {schema['source']} must be texts under one of "
                f"{sorted(known)}, got {key!r}: {text!r}"
            )
    found = _from_data(schema, audit) | {"maintainer": maintainer, "contact": contact}
    return {
        section["title"]: [
            Answer(key, question, found.get(key, ""), owner.get(key, ""))
            for key, question in section["questions"].items()
        ]
        for section in sections.values()
    }


def read_answers(path: Path, source: str) -> dict[str, str]:
    """Return the owner's answers about a source; none if there are none.

    Raises
    ------
    ArtifactError
        If the file is no mapping of sources to answers.
    """
    if not path.is_file():
        return {}
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        detail = " ".join(str(error).split())
        raise ArtifactError(f"{path.name}: content must be YAML, got: {detail}") from error
    answers = found.get(source, {}) if isinstance(found, dict) else found
    if not isinstance(answers, dict):
        raise ArtifactError(
            f"{path.name}: answers of {source} must be a mapping, got {type(answers).__name__}"
        )
    return answers


def datasheet_to_markdown(schema: Mapping[str, Any], sections: Mapping[str, list[Answer]]) -> str:
    """Return the datasheet as a page."""
    every = [answer for answers in sections.values() for answer in answers]
    asked = [answer for answer in every if not answer.key.endswith("_other")]
    open_ = [answer for answer in asked if not answer.from_data and not answer.from_owner]
    parts = [
        f"# Datasheet of {escape(schema['about'].get('title', schema['dataset']))}",
        f"Data set {escape(schema['dataset'])}, source {escape(schema['source'])}. Of "
        f"{len(asked)} questions {sum(bool(a.from_data) for a in asked)} are answered from the "
        f"data, {sum(bool(a.from_owner) for a in asked)} by the owner; {len(open_)} are open and "
        "listed at the end.",
    ]
    for title, answers in sections.items():
        parts.append(f"## {escape(title)}")
        parts += [_paragraph(answer) for answer in answers if answer in asked or _given(answer)]
    listed = bullets(Safe(f"{escape(answer.question)} (`{answer.key}`)") for answer in open_)
    parts += ["## Open questions", listed or "None."]
    parts.append(f"Add answers to `{ANSWERS}`, under the source and the key in brackets.")
    return page(parts)


def _given(answer: Answer) -> bool:
    return bool(answer.from_data or answer.from_owner)


def _paragraph(answer: Answer) -> Safe:
    given = [escape(text) for text in (answer.from_data, answer.from_owner) if text]
    return Safe(f"**{escape(answer.question)}** " + (" ".join(given) or "*Not answered.*"))


def _relations(about: Mapping[str, Any]) -> str:
    entity = _sentence("Samples of one entity are kept in one split", about.get("entity"))
    split = (entity.rstrip(".") + ".") if entity else ""
    return " ".join(part for part in (split, about.get("weight")) if part)


def _from_data(schema: Mapping[str, Any], audit: Mapping[str, Any]) -> dict[str, str]:
    about = schema["about"]
    splits = ", ".join(f"{audit['splits'][split]} {split}" for split in names.SPLITS)
    return {
        "creators": _sentence("See the citation", about.get("citation")),
        "instances": about.get("description", ""),
        "count": f"{audit['n']} samples: {splits}.",
        "content": _content(schema),
        "label": _label(schema),
        "missing": _missing(about, audit),
        "relations": _relations(about),
        "splits": _sentence("Split", about.get("split")),
        "errors": _errors(audit),
        "subpopulations": _groups(schema, audit),
        "processing": _processing(about),
        "raw_kept": _raw(about),
        "software": "The stage prepare of this pipeline, in src/plumbline/data.",
        "used_for": _models(schema),
        "limits": _limits(about, audit),
        "unfit": _unfit(schema["source"]),
        "channel": about.get("address", ""),
        "licence": about.get("licence", ""),
    }


def _sentence(head: str, text: Any) -> str:
    return f"{head}: {text}" if text else ""


def _content(schema: Mapping[str, Any]) -> str:
    if schema["features"]:
        shown = ", ".join(schema["features"][:40])
        rest = len(schema["features"]) - 40
        return f"{len(schema['features'])} features: {shown}" + (
            f" and {rest} more." if rest > 0 else "."
        )
    return "A text." if schema["dataset"] == names.TEXT else "An image of every prepared size."


def _label(schema: Mapping[str, Any]) -> str:
    if schema["task"] == "language":
        return "None; a model predicts the next character."
    if not schema["classes"]:
        return "A number."
    text = f"One of {len(schema['classes'])} classes: {', '.join(schema['classes'])}."
    return " ".join([text, *artifacts.merged_class_notes(schema["about"])])


def _missing(about: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    rates = {
        row["metric"].partition("/")[2]: row["value"]
        for row in audit["rows"]
        if row["metric"].startswith(names.MISSING_RATE) and row["attribute"] == names.OVERALL
    }
    found = artifacts.unmarked_value_notes(about)
    if rates:
        shown = ", ".join(f"{name} {show(value, 'percent')}" for name, value in rates.items())
        found.insert(0, f"Values are missing: {shown}.")
    return " ".join(found) or "No value is missing from the prepared samples."


def _errors(audit: Mapping[str, Any]) -> str:
    found = audit["duplicates"]
    text = (
        f"{found['exact']['count']} held-out samples have an exact and {found['near']['count']} a "
        f"near duplicate in training; {found['within_train']} training samples repeat another; "
        f"{found['conflicting_labels']} sets of equal samples have different labels."
    )
    for row in audit["rows"]:
        if row["metric"] == names.LABEL_DISAGREEMENT and row["attribute"] == names.OVERALL:
            share = show(row["value"], "percent")
            text += f" {share} of the labels differ from those of their neighbours."
    return text + _injected(audit["injected_bias"])


def _injected(injected: list[str] | None) -> str:
    return f" Bias was injected on purpose: {'; '.join(injected)}." if injected else ""


def _groups(schema: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    parts = []
    for attribute in schema["attributes"]:
        sizes = ", ".join(
            f"{row['group']} {row['n']}"
            for row in audit["rows"]
            if row["metric"] == names.SHARE and row["attribute"] == attribute
        )
        how = schema["about"].get("attributes", {}).get(attribute, "")
        parts.append(f"{words(attribute)} ({sizes}). {how}".strip())
    return " ".join([*parts, *artifacts.absent_group_notes(schema["about"])])


def _processing(about: Mapping[str, Any]) -> str:
    numbers = ", ".join(
        f"{words(key)} {value}"
        for key, value in sorted(about.items())
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    )
    text = "Samples were split; attributes were measured or taken from the data as described above"
    return (
        f"{text}; {numbers}.{_injected(about.get('injected_bias'))}"
        if numbers
        else (f"{text}.{_injected(about.get('injected_bias'))}")
    )


def _raw(about: Mapping[str, Any]) -> str:
    files = about.get("raw_files", {})
    if not files:
        return ""
    return f"{len(files)} raw files; schema.json lists their sha256 under about.raw_files."


def _models(schema: Mapping[str, Any]) -> str:
    made = catalog.models_of(schema["dataset"])
    return f"In this pipeline for the models {', '.join(made)}."


def _limits(about: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    predicted = [p["attribute"] for p in audit["proxies"] if p["verdict"] == names.DIFFERENCE]
    differ = sum(gap["verdict"] == names.DIFFERENCE for gap in audit["gaps"])
    parts = [_sentence("Not known", about.get("not_known"))]
    if predicted:
        parts.append(f"Features predict the groups by: {', '.join(map(words, predicted))}.")
    parts.append(
        f"{differ} of {len(audit['gaps'])} comparisons of groups in the data audit are differences."
    )
    return " ".join(part for part in parts if part)


def _unfit(source: str) -> str:
    every = yaml.safe_load((TEMPLATES / "words.yaml").read_text(encoding="utf-8"))
    return " ".join(every["sources"].get(source, {}).get("out_of_scope", []))
