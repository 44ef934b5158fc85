"""The files that a card is made from."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

import yaml

from plumbline import catalog, names
from plumbline.errors import ArtifactError
from plumbline.reporting.references import Book, Reference
from plumbline.reporting.rendering import Safe, escape, table, words

TEMPLATES = Path(__file__).parents[1] / "templates"
MAX_VALUES = 12  # of a list in a table of settings


def card_words(model: str, source: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the texts of ``words.yaml`` about a model and about the source of its data.

    A model without texts has the generic ones, which leave its purpose and limits open.

    Raises
    ------
    ArtifactError
        If the source has no texts: a card must say what its data rule out.
    """
    every = _every_word()
    if source not in every["sources"]:
        raise ArtifactError(
            f"words.yaml: sources must be one of {sorted(every['sources'])}, got {source!r}; "
            "write what a card should say about it"
        )
    return every["models"].get(model) or _generic_words(model), every["sources"][source]


def _generic_words(model: str) -> dict[str, Any]:
    spec = catalog.model(model)
    label = spec.label[:1].upper() + spec.label[1:]
    known = {"model": model, "label": label, "dataset": spec.dataset, "fit": spec.fit}

    def filled(text: Any) -> Any:
        if isinstance(text, list):
            return [filled(line) for line in text]
        return Template(text).substitute(known)

    return {key: filled(text) for key, text in _every_word()["generic"].items()}


@functools.cache
def _every_word() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((TEMPLATES / "words.yaml").read_text(encoding="utf-8"))
    return found


class Facts:
    """The files of one model: configuration, metrics, audit, the data's schema, and texts."""

    def __init__(self, model: str, book: Book) -> None:
        self.model, self.book = model, book
        self.config_file = (names.MODEL_DIR / model / "config.json").as_posix()
        self.metrics_file = (names.METRICS_DIR / f"{model}.json").as_posix()
        self.audit_file = (names.AUDITS / f"{model}.json").as_posix()
        self.config = book.read(self.config_file)
        self.metrics = book.read(self.metrics_file)
        self.audit = book.read(self.audit_file)
        dataset = self.metrics["dataset"]
        self.schema_file = (names.PREPARED / dataset / "schema.json").as_posix()
        self.schema = book.read(self.schema_file)
        self.words, self.source_words = card_words(model, self.metrics["source"])

    def interval(self, file: str, *keys: str | int) -> Safe | None:
        """Return ``[low, high]`` of an estimate with references; None with an undefined end."""
        low, high = self.book.at(file, *keys, "low"), self.book.at(file, *keys, "high")
        if low.value is None or high.value is None:
            return None
        return Safe(f"[{low.markdown()}, {high.markdown()}]")

    def leaves(self, file: str, *keys: str | int) -> Iterator[tuple[str, Reference]]:
        """Yield the values below a key of a file with their names, without long lists."""
        value = self.book.at(file, *keys).value
        if isinstance(value, dict) and value:
            for key in value:
                yield from self.leaves(file, *keys, key)
        elif not isinstance(value, (list, dict)) or len(value) <= MAX_VALUES:
            yield ".".join(map(str, keys[1:])), self.book.at(file, *keys, form="exact")


def finished(value: Any) -> Safe:
    """Return a value as Markdown: a reference with its mark, all else escaped."""
    return Safe(value.markdown()) if isinstance(value, Reference) else escape(value)


def reference_table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Safe:
    """Return a table whose cells may be references."""
    return table(header, [[finished(cell) for cell in row] for row in rows])


def reference_name(key: str, metrics: Mapping[str, Any]) -> str:
    """Return the words for a key of ``reference``; a generator's are those of real images."""
    if key in metrics:
        return f"{words(key)} of real images"
    model, slash, quantity = key.partition("/")
    return f"{words(quantity)} of {words(model)}" if slash else words(key)
