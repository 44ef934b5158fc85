"""The parts of a card about the model, its data and its metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from plumbline import artifacts, catalog, names
from plumbline.errors import ArtifactError
from plumbline.reporting import comparisons
from plumbline.reporting.cards import gradients
from plumbline.reporting.cards.facts import Facts, reference_name, reference_table
from plumbline.reporting.references import Reference
from plumbline.reporting.rendering import Safe, code, escape, words

_SAMPLED = {names.LANGUAGE: "test documents", names.GENERATOR: "generated and test images"}
_ABOUT = ("title", "description", "licence", "citation", "address", "split", "not_known")


def text_context(facts: Facts) -> dict[str, Any]:
    """Return texts: intended use, limits, and the description of the data."""
    about = facts.schema["about"]
    if missing := [key for key in _ABOUT if not about.get(key)]:
        raise ArtifactError(f"{facts.schema_file}: about must have {missing}, got none of them")
    injected = [f"Bias was injected on purpose: {x}." for x in about.get("injected_bias") or []]
    read = [
        *artifacts.merged_class_notes(about),
        *artifacts.absent_group_notes(about),
        *artifacts.unmarked_value_notes(about),
    ]
    return {
        "words": facts.words,
        "about": {**{key: about[key] for key in _ABOUT}, "address": _link(about["address"])},
        "out_of_scope": facts.words["out_of_scope"] + facts.source_words["out_of_scope"],
        "limits": [*injected, *read, *facts.words["limits"], *facts.source_words["limits"]],
        "block": Safe(catalog.model(facts.model).params),
        "start": Safe(facts.words["start"].rstrip()),
        "tested": _tested(facts),
        "sampled": _SAMPLED.get(facts.metrics["kind"], "test rows"),
        "data_facts": [
            {"name": words(key), "value": facts.book.at(facts.schema_file, "about", key)}
            for key, value in sorted(about.items())
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        ],
    }


def _tested(facts: Facts) -> Safe:
    """Return what the test metrics are computed on, as the beginning of a sentence."""
    at, file, title = facts.book.at, facts.metrics_file, escape(facts.schema["about"]["title"])
    n = at(file, "n").markdown()
    if facts.metrics["kind"] == names.GENERATOR:
        real = at(file, "extractor_info", "real").markdown()
        return Safe(f"Of {n} generated images, compared with the {real} test images of {title}")
    if facts.metrics["kind"] == names.LANGUAGE:
        rows = facts.audit["rows"]
        whole = next(i for i, row in enumerate(rows) if row["attribute"] == names.OVERALL)
        documents = at(facts.audit_file, "rows", whole, "n").markdown()
        return Safe(f"On the {documents} test documents ({n} blocks) of {title}")
    return Safe(f"On the {n} test rows of {title}")


def model_context(facts: Facts) -> dict[str, Any]:
    """Return architecture, signature and settings of the model."""
    at, file = facts.book.at, facts.config_file
    rows = [(code(name), reference) for name, reference in settings(facts)]
    return {
        "architecture": at(file, "architecture"),
        "parameters": at(file, "parameters"),
        "folder": Safe((names.MODEL_DIR / facts.model).as_posix()),
        "signature": {k: _signature(facts.config.get(k) or []) for k in ("inputs", "outputs")},
        "classes": ", ".join(map(str, facts.config.get("classes") or [])) or "none",
        "settings": reference_table(("setting", "value"), rows)
        if rows
        else f"The configuration of {facts.model} has no settings.",
    }


def settings(facts: Facts) -> list[tuple[str, Reference]]:
    """Return the arguments of the architecture and the facts of the fit, each setting once.

    A parameter that is also an argument of the architecture, with the same value, is left out.
    """
    arguments = dict(facts.leaves(facts.config_file, "arguments"))
    fitted = {
        name: reference
        for name, reference in facts.leaves(facts.config_file, "facts")
        if not name.startswith(f"{gradients.KEY}.")  # in a sentence of their own
        if (same := arguments.get(name.removeprefix("settings."))) is None
        or same.value != reference.value
    }
    return [*arguments.items(), *fitted.items()]


def metric_context(facts: Facts) -> dict[str, Any]:
    """Return the test metrics and their baselines."""
    at, file = facts.book.at, facts.metrics_file
    main, measured = facts.metrics["main_metric"], facts.metrics["metrics"]
    same = [k for k in facts.metrics["reference"] if k == main or k.endswith(f"/{main}")]
    extractor = facts.metrics.get("extractor_info")
    return {
        "main_metric": {
            "name": words(main),
            "value": at(file, "metrics", main, "value"),
            "interval": facts.interval(file, "metrics", main),
            "baselines": [
                {"name": reference_name(k, measured), "value": at(file, "reference", k, "value")}
                for k in same
            ],
        },
        "design": _design(facts),
        "direction": f"A {'higher' if names.more_is_better(main) else 'lower'} {words(main)} is "
        "better.",
        "metrics": _estimates(facts, "metrics", "metric"),
        "class_shares": _class_shares(facts) if "class_shares" in facts.metrics else None,
        "references": _estimates(facts, "reference", "baseline or reference"),
        "extractor_info": extractor
        and reference_table(
            ("fact", "value"),
            [(code(key), value) for key, value in facts.leaves(file, "extractor_info")],
        ),
    }


def comparison_context(facts: Facts) -> dict[str, Any]:
    """Return the paired differences from the other models of the data set."""
    found = comparisons.differences(facts.book, facts.model)
    header = ("minus", "metric", "difference", "interval", "p", "method")
    rows = [
        (
            comparisons.label(each.other),
            words(each.quantity),
            each.value,
            each.interval(),
            each.p,
            each.method,
        )
        for each in found
    ]
    from_baseline = comparisons.from_baseline(facts.book, facts.model)
    return {
        "from_baseline": from_baseline.sentence() if from_baseline else "",
        "compared_unit": found[0].unit if found else "",
        "compared": [each.sentence() for each in found if each.verdict],
        "differences": reference_table(header, rows) if rows else None,
    }


def _design(facts: Facts) -> list[Safe]:
    """Return sentences about what was measured: weights and entities of rows, shares of a text."""
    at, file, found = facts.book.at, facts.metrics_file, []
    if "weight" in facts.metrics:
        found.append(
            f"Rows are weighted in training and in every metric; the sum of weights is "
            f"{at(file, 'weight').markdown()}. References named unweighted count each row once."
        )
    if "entities" in facts.metrics:
        found.append(
            f"The rows belong to {at(file, 'entities').markdown()} entities. Intervals allow for "
            "dependent rows of an entity: that of a share uses the effective number of rows, the "
            "others resample whole entities."
        )
    if names.generative(names.COVERAGE) in facts.metrics["metrics"]:
        found += [_beside_real(facts, key) for key in (names.COVERAGE, names.GEN_RECALL)]
        found += _repetition(facts)
    if names.BITS_UNCONTAINED in facts.metrics["metrics"]:
        n, most = (at(file, "metrics", names.BITS_UNCONTAINED, k) for k in ("n", "max_containment"))
        found.append(
            f"{words(names.BITS_UNCONTAINED)}: of the {n.markdown()} documents of which a share of "
            f"at most {most.markdown()} of the five-word runs occurs in training documents."
        )
    if "mixture" in facts.metrics:
        weight, other = (at(file, "mixture", key) for key in ("weight", "with"))
        found.append(
            f"{words(names.mixture(facts.model))}: the probability of each character is the "
            f"weighted mean of this model's, with weight {weight.markdown()}, and that of "
            f"{other.markdown()}; the weight was fitted on the validation split."
        )
    return [Safe(line) for line in found]


def _beside_real(facts: Facts, quantity: str) -> str:
    """Return a generator's coverage or recall with its interval, beside that of real images."""
    at, file, name = facts.book.at, facts.metrics_file, names.generative(quantity)
    low, high = (at(file, "metrics", name, end).value for end in ("low", "high"))
    value, real = at(file, "metrics", name, "value"), at(file, "reference", name, "value")
    verdict = "The interval does not exclude that of real images."
    if high is not None and high < real.value:
        verdict = "Kinds of real images are generated too rarely or not at all."
    if low is not None and low > real.value:
        verdict = "It is above that of real images."
    return (
        f"The {words(name)} of the samples is {value.markdown()} "
        f"{facts.interval(file, 'metrics', name) or ''}, that of as many real images "
        f"{real.markdown()}. {verdict}"
    )


def _repetition(facts: Facts) -> list[str]:
    """Return how often samples repeat one another, where that differs from real images."""
    at, file, name = facts.book.at, facts.metrics_file, names.generative(names.REPETITION)
    if name not in facts.metrics["metrics"] or name not in facts.metrics["reference"]:
        return []
    low, high = (at(file, "metrics", name, end).value for end in ("low", "high"))
    real = at(file, "reference", name, "value")
    if None in (low, high, real.value) or low <= real.value <= high:
        return []
    often = "more" if low > real.value else "less"
    return [
        f"The {words(name)} of the samples is {at(file, 'metrics', name, 'value').markdown()} "
        f"{facts.interval(file, 'metrics', name)}, that of as many real images {real.markdown()}. "
        f"Samples repeat one another {often} often than real images do."
    ]


def _class_shares(facts: Facts) -> Safe:
    """Return the shares of the classes, with simultaneous intervals of the corrected ones."""
    at, file = facts.book.at, facts.metrics_file
    rows = [
        (
            row["class"],
            *(at(file, "class_shares", i, key) for key in ("real", "recognised", "value")),
            facts.interval(file, "class_shares", i),
        )
        for i, row in enumerate(facts.metrics["class_shares"])
    ]
    return reference_table(("class", "real images", "recognised", "corrected", "interval"), rows)


def _estimates(facts: Facts, part: str, head: str) -> Safe | None:
    file, measured, rows = facts.metrics_file, facts.metrics["metrics"], []
    for name in facts.metrics[part]:
        label = words(name) if part == "metrics" else reference_name(name, measured)
        value = facts.book.at(file, part, name, "value")
        rows.append((label, code(name), value, facts.interval(file, part, name) or "none"))
    return reference_table((head, "key", "value", "interval"), rows) if rows else None


def _link(address: str) -> Safe:
    plain = re.fullmatch(r"https?://[\w./~+?=&%:-]+", address)
    return Safe(f"<{address}>") if plain else escape(address)


def _signature(fields: list[Mapping[str, Any]]) -> str:
    parts = []
    for each in fields:
        shape = " × ".join("any" if size == -1 else str(size) for size in each["shape"])
        parts.append(f"{each['name']} ({each['dtype']}, {shape})")
    return "; ".join(parts) or "not recorded in the configuration"
