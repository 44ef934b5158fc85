"""The files that a card is made from, and what each section of the card takes from them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from plumbline import names
from plumbline.errors import ArtifactError
from plumbline.reporting.references import Book, Reference
from plumbline.reporting.rendering import Safe, code, escape, table, words

TEMPLATES = Path(__file__).parents[1] / "templates"
MAX_GAPS, MAX_GROUPS, MAX_VALUES = 40, 30, 12
_UNITS = {names.LANGUAGE: "blocks", names.GENERATOR: "samples"}
_ABOUT = ("title", "description", "licence", "citation", "address", "split", "not_known")


def card_words(model: str, source: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the cards say in words about a model and about its data's source.

    Raises
    ------
    ArtifactError
        If either is unknown: a card with a gap in it is worse than none.
    """
    every = _every_word()
    for kind, key in (("models", model), ("sources", source)):
        if key not in every[kind]:
            raise ArtifactError(
                f"words.yaml: {kind} must be one of {sorted(every[kind])}, got {key!r}; "
                "write what a card should say about it"
            )
    return every["models"][model], every["sources"][source]


@functools.cache
def _every_word() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((TEMPLATES / "words.yaml").read_text(encoding="utf-8"))
    return found


class Facts:
    """The files that a card is made from, and the parts of the card they fill."""

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

    def words_context(self) -> dict[str, Any]:
        """Return what the words say: uses, limits, the data's description."""
        about = self.schema["about"]
        if missing := [key for key in _ABOUT if not about.get(key)]:
            raise ArtifactError(f"{self.schema_file}: about must have {missing}, got none of them")
        return {
            "words": self.words,
            "about": {**{key: about[key] for key in _ABOUT}, "address": _link(about["address"])},
            "out_of_scope": self.words["out_of_scope"] + self.source_words["out_of_scope"],
            "limits": [
                *(
                    f"Bias was injected on purpose: {line}."
                    for line in about.get("injected_bias") or []
                ),
                *self.words["limits"],
                *self.source_words["limits"],
            ],
            "block": Safe(self.words["stages"][0].partition("@")[0]),
            "stages": [Safe(stage) for stage in self.words["stages"]],
            "stage_list": Safe(" ".join(self.words["stages"])),
            "start": Safe(self.words["start"].rstrip()),
            "unit": _UNITS.get(self.metrics["kind"], "rows"),
            "data_facts": [
                {"name": words(key), "value": self.book.at(self.schema_file, "about", key)}
                for key, value in sorted(about.items())
                if isinstance(value, (int, float)) and not isinstance(value, bool)
            ],
        }

    def model_context(self) -> dict[str, Any]:
        """Return what the model's configuration says."""
        at = self.book.at
        rows = [
            (code(name), reference)
            for part in ("arguments", "facts")
            for name, reference in _leaves(self.book, self.config_file, part)
        ]
        return {
            "architecture": at(self.config_file, "architecture"),
            "parameters": at(self.config_file, "parameters"),
            "folder": Safe((names.MODEL_DIR / self.model).as_posix()),
            "signature": {k: _signature(self.config.get(k) or []) for k in ("inputs", "outputs")},
            "classes": ", ".join(map(str, self.config.get("classes") or [])) or "none",
            "hyper_parameters": _table(("setting", "value"), rows)
            if rows
            else f"The configuration of {self.model} holds no setting.",
        }

    def metric_context(self) -> dict[str, Any]:
        """Return the test metrics and what they are read against."""
        at, file = self.book.at, self.metrics_file
        headline = self.metrics["main_metric"]
        more = names.more_is_better(headline)
        same = [k for k in self.metrics["reference"] if k == headline or k.endswith(f"/{headline}")]
        extractor_info = self.metrics.get("extractor_info")
        return {
            "n": at(file, "n"),
            "headline": {
                "name": words(headline),
                "value": at(file, "metrics", headline, "value"),
                "interval": self._interval(file, "metrics", headline),
                "references": [
                    {
                        "name": reference_name(k, self.metrics["metrics"]),
                        "value": at(file, "reference", k, "value"),
                    }
                    for k in same
                ],
            },
            "design": self._design(),
            "direction": f"A {'higher' if more else 'lower'} {words(headline)} is better.",
            "metrics": self._estimates("metrics", "quantity"),
            "references": self._estimates("reference", "reference"),
            "extractor_info": extractor_info
            and _table(
                ("fact", "value"),
                [(code(k), v) for k, v in _leaves(self.book, file, "extractor_info")],
            ),
        }

    def _design(self) -> list[Safe]:
        """Return what is to be said of weights and entities of the test rows."""
        at, file, said = self.book.at, self.metrics_file, []
        if "weight" in self.metrics:
            weight = at(file, "weight").markdown()
            said.append(
                f"Rows count by their weight, {weight} in all, in the fit and in every number; "
                "the references called unweighted rows count each once."
            )
        if "entities" in self.metrics:
            entities = at(file, "entities").markdown()
            said.append(
                f"The rows belong to {entities} entities. Intervals allow for rows of one entity "
                "varying together: a share's is that of the effective number of rows, the others "
                "draw whole entities."
            )
        return [Safe(line) for line in said]

    def _estimates(self, part: str, head: str) -> Safe | None:
        rows = []
        for name in self.metrics[part]:
            label = (
                words(name) if part == "metrics" else reference_name(name, self.metrics["metrics"])
            )
            value = self.book.at(self.metrics_file, part, name, "value")
            interval = self._interval(self.metrics_file, part, name) or "none computed"
            rows.append((label, code(name), value, interval))
        return _table((head, "key", "value", "interval"), rows) if rows else None

    def _interval(self, file: str, *keys: str | int) -> Safe | None:
        low, high = self.book.at(file, *keys, "low"), self.book.at(file, *keys, "high")
        if low.value is None or high.value is None:
            return None
        return Safe(f"\\[{low.markdown()}, {high.markdown()}\\]")

    def audit_context(self) -> dict[str, Any]:
        """Return the groups, gaps and verdicts of the audit."""
        how = self.schema["about"].get("attributes", {})
        return {
            "confidence": self.book.at(self.audit_file, "confidence", form="percent"),
            "worst_sentence": self._worst_sentence(),
            "attributes": [
                {"name": name, "how": how.get(name, ""), "groups": self._groups(name)}
                for name in self.audit["attributes"]
            ],
            "gaps": self._gaps(),
            "insufficient": self._insufficient(),
            "individual": self._individual(),
            "notes": self.audit.get("notes", []),
        }

    def _worst_sentence(self) -> Safe:
        worst = self.audit.get("worst")
        if not worst:
            return Safe("The audit found no gap that could be estimated.")
        interval = self._interval(self.audit_file, "worst")
        value = self.book.at(self.audit_file, "worst", "value").markdown()
        return Safe(
            f"The gap to look at first is in {escape(words(worst['metric']))} by "
            f"{escape(worst['attribute'])}: {escape(worst['highest'])} and "
            f"{escape(worst['lowest'])} differ by {value}"
            f"{f' (interval {interval})' if interval else ''}, verdict: {escape(worst['verdict'])}."
            if worst["comparison"] == "difference"
            else f"The gap to look at first is in {escape(words(worst['metric']))} by "
            f"{escape(worst['attribute'])}: {escape(worst['lowest'])} has {value}"
            f"{f' (interval {interval})' if interval else ''} times the value of "
            f"{escape(worst['highest'])}, verdict: {escape(worst['verdict'])}."
        )

    def _individual(self) -> Safe | None:
        file = (names.INDIVIDUAL / f"{self.model}.json").as_posix()
        if not self.book.has(file) or self.book.read(file)["skipped"] is not None:
            return None
        found = self.book.read(file)

        def share(of: str) -> str:
            value = self.book.at(file, "consistency", of, "value").markdown()
            return f"{value} ({self._interval(file, 'consistency', of) or 'no interval'})"

        flipped = [flip["attribute"] for flip in found["counterfactual_changes"] if flip["rows"]]
        flips = (
            f"decisions with another {escape(', '.join(flipped))} stand in the report"
            if flipped
            else "no attribute is a feature, so none could be changed"
        )
        return Safe(
            f"Of a row's {self.book.at(file, 'neighbours').markdown()} nearest others "
            f"{share('decisions')} get the same decision, and {share('labels')} have the same "
            f"label; {flips}: [single decisions](../individual/{self.model}.md)."
        )

    def _groups(self, attribute: str) -> Safe:
        parts = [
            f"{escape(group)} (n = {self.book.at(self.audit_file, 'rows', index, 'n').markdown()})"
            for group, index in self._largest_rows(attribute).items()
        ]
        return _listed(parts, "in the audit")

    def _largest_rows(self, attribute: str) -> dict[str, int]:
        # A rate's n counts the rows it is a rate of; the largest is the size of the group.
        found: dict[str, int] = {}
        rows = self.audit["rows"]
        for index, row in enumerate(rows):
            if row["attribute"] == attribute:
                best = found.setdefault(row["group"], index)
                if row["n"] > rows[best]["n"]:
                    found[row["group"]] = index
        return found

    def _gaps(self) -> Safe:
        gaps = list(enumerate(self.audit["gaps"]))
        if not gaps:
            return Safe("No gap could be computed: no attribute has two groups.")
        ranked = sorted(gaps, key=lambda item: _rank(item[1]))[:MAX_GAPS]
        rows = []
        for index, gap in sorted(ranked):
            value = self.book.at(self.audit_file, "gaps", index, "value")
            interval = self._interval(self.audit_file, "gaps", index) or "none"
            ends = f"{gap['lowest']} / {gap['highest']}" if gap["lowest"] else "none"
            verdict = code(gap["verdict"])
            rows.append((gap["attribute"], words(gap["metric"]), gap["comparison"], value,
                         interval, ends, verdict))  # fmt: skip
        header = (
            "attribute",
            "metric",
            "comparison",
            "gap",
            "interval",
            "lowest / highest",
            "verdict",
        )
        left = len(gaps) - len(ranked)
        rest = f"\n\n{left} further gaps stand in the audit." if left else ""
        return Safe(_table(header, rows) + rest)

    def _insufficient(self) -> Safe:
        found: dict[tuple[str, str], int] = {}
        for index, row in enumerate(self.audit["rows"]):
            if row["verdict"] == names.INSUFFICIENT and row["attribute"] != names.OVERALL:
                best = found.setdefault((row["attribute"], row["group"]), index)
                if row["n"] > self.audit["rows"][best]["n"]:
                    found[row["attribute"], row["group"]] = index
        if not found:
            return Safe(f"No group of {escape(self.model)}'s test rows was too small to compare.")
        parts = [
            f"{escape(attribute)} = {escape(group)} "
            f"(n = {self.book.at(self.audit_file, 'rows', index, 'n').markdown()})"
            for (attribute, group), index in found.items()
        ]
        return Safe(f"Insufficient in at least one metric: {_listed(parts, 'in the audit')}.")


def _rank(gap: Mapping[str, Any]) -> tuple[bool, int]:
    return names.INTERSECTION in gap["attribute"], names.VERDICTS.index(gap["verdict"])


def _listed(parts: list[str], where: str) -> Safe:
    left = len(parts) - MAX_GROUPS
    return Safe(", ".join(parts[:MAX_GROUPS]) + (f" and {left} more {where}" if left > 0 else ""))


def reference_name(key: str, metrics: Mapping[str, Any]) -> str:
    """Return in words what a key of ``reference`` is; a generator's are those of real images."""
    if key in metrics:
        return f"{words(key)} of real images"
    model, slash, quantity = key.partition("/")
    return f"{words(quantity)} of {words(model)}" if slash else words(key)


def _link(address: str) -> Safe:
    plain = re.fullmatch(r"https?://[\w./~+?=&%:-]+", address)
    return Safe(f"<{address}>") if plain else escape(address)


def _signature(fields: list[Mapping[str, Any]]) -> str:
    parts = []
    for each in fields:
        shape = " × ".join("any" if size == -1 else str(size) for size in each["shape"])
        parts.append(f"{each['name']} ({each['dtype']}, {shape})")
    return "; ".join(parts) or "not recorded in the configuration"


def _leaves(book: Book, file: str, *keys: str | int) -> Iterator[tuple[str, Reference]]:
    value = book.at(file, *keys).value
    if isinstance(value, dict) and value:
        for key in value:
            yield from _leaves(book, file, *keys, key)
    elif not isinstance(value, (list, dict)) or len(value) <= MAX_VALUES:
        yield ".".join(map(str, keys[1:])), book.at(file, *keys, form="exact")


def _table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Safe:
    return table(header, [[finished(cell) for cell in row] for row in rows])


def finished(value: Any) -> Safe:
    """Return a value as Markdown: references with their comment, all else escaped."""
    return Safe(value.markdown()) if isinstance(value, Reference) else escape(value)
