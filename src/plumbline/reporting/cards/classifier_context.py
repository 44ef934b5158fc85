"""The part of a card about classes: weights in the fit, drawn rows, and the rule of decisions."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline import names
from plumbline.reporting.cards.facts import Facts
from plumbline.reporting.rendering import Safe, code, escape, words


def fitted_sentences(facts: Facts) -> list[Safe]:
    """Return where pretrained weights are from, and which models saw a part of the rows."""
    return [Safe(line) for line in (*_pretrained(facts), *_drawn_rows(facts))]


def classifier_sentences(facts: Facts) -> list[Safe]:
    """Return how a classifier weights classes and decides, and which metrics depend on it."""
    return [Safe(line) for line in (*_class_weights(facts), *_decision(facts))]


def _decision(facts: Facts) -> Iterator[str]:
    if (decision := facts.metrics.get("decision")) is None:
        return

    def shown(key: str) -> str:
        return facts.book.at(facts.metrics_file, "decision", key).markdown()

    chosen = "a threshold that was declared"
    if metric := decision.get("chosen_for"):
        of = f" of {escape(decision['positive'])}" if metric == names.F1 else ""
        chosen = (
            f"chosen on the validation split ({shown('rows')} rows) for {words(metric)}{of}. The "
            f"best value there, {shown('reached')}, is optimistic. Other validation rows would "
            "choose another threshold, which the intervals do not include"
        )
        if "strategy" in facts.config["facts"]:  # of fine-tuning
            chosen += "; their labels are used beyond the few of the fit"
    yield (
        f"Decision: {escape(decision['positive'])} where its probability is at least "
        f"{shown('threshold')}, {chosen}. Accuracy, balanced accuracy, F1 and rates of groups "
        "depend on it; AUROC, Brier score, log loss and calibration error do not."
    )


def _class_weights(facts: Facts) -> Iterator[str]:
    if weights := facts.config["facts"].get("class_weights"):
        at = facts.book.at
        listed = ", ".join(
            f"{escape(name)} {at(facts.config_file, 'facts', 'class_weights', name).markdown()}"
            for name in weights
        )
        yield (
            f"Classes were weighted in the fit: {listed}. The weights change probabilities: a "
            "class that counts more gets higher ones than its frequency in these data. Brier "
            "score, log loss and calibration error measure them as they are."
        )


def _pretrained(facts: Facts) -> Iterator[str]:
    if found := facts.config["facts"].get("pretrained"):
        licence = found["licence"] or "not stated by the source"
        yield (
            f"The fit started from pretrained weights: {escape(found['origin'])}; architecture "
            f"{escape(found['architecture'])}; licence: {escape(licence)}; SHA-256 "
            f"{code(found['sha256'])}. What they were trained on, and its biases, are part of "
            "this model."
        )


def _drawn_rows(facts: Facts) -> Iterator[str]:
    at, file = facts.book.at, facts.config_file
    for name in facts.config["facts"].get("fitted_rows") or {}:
        fitted = at(file, "facts", "fitted_rows", name).markdown()
        every = at(file, "facts", "train_samples").markdown()
        yield (
            f"The model {escape(words(name))} was fitted to {fitted} of the {every} training rows, "
            "drawn by chance."
        )
