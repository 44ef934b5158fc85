"""The part of a card about what the outputs depend on."""

from __future__ import annotations

from functools import partial
from typing import Any

from plumbline.reporting.cards.facts import Facts
from plumbline.reporting.rendering import Safe, code, escape

KEY = "explanation"  # of the metrics report; see `plumbline.inference.explanations.summary`
CAVEAT = (
    "Attributions describe this model. They are no causes, and no proof that the model is right or "
    "fair; another method or baseline gives other attributions."
)


def explanation_sentences(facts: Facts) -> list[Safe]:
    """Return paragraphs on attributions, with their caveat; none of a model without them."""
    if KEY not in facts.metrics:
        return []
    at = partial(facts.book.at, facts.metrics_file, KEY)
    found = facts.metrics[KEY]
    kind = _features(facts, found) if "features" in found else _centre(facts)
    method = escape(found["method"].replace("_", " "))
    lead = (
        f"Attributions ({method}, from {escape(found['baseline'])}) of the "
        f"{escape(found['output'])} on {at('rows').markdown()} of {at('of_rows').markdown()} test "
        f"rows: {kind}."
    )
    return [Safe(line) for line in (lead, *_check(found, at), f"{CAVEAT} {_command(facts)}")]


def _features(facts: Facts, found: dict[str, Any]) -> str:
    def one(number: int, feature: dict[str, Any]) -> str:
        value = facts.book.at(facts.metrics_file, KEY, "features", number, "mean_absolute")
        interval = facts.interval(facts.metrics_file, KEY, "features", number)
        verb = "raises" if feature["mean"] > 0 else "lowers"
        shown = f" {interval}" if interval else ""
        return f"{escape(feature['feature'])} {value.markdown()}{shown}, on average {verb} it"

    listed = "; ".join(one(number, each) for number, each in enumerate(found["features"]))
    return f"mean absolute attribution, the largest first: {listed}"


def _centre(facts: Facts) -> str:
    interval = facts.interval(facts.metrics_file, KEY, "centre")
    share, even = (
        facts.book.at(facts.metrics_file, KEY, "centre", key).markdown()
        for key in ("mean", "evenly")
    )
    return (
        f"{share}{f' {interval}' if interval else ''} of the absolute attribution is in the middle "
        f"of three by three parts of the picture, {even} if it were spread evenly"
    )


def _check(found: dict[str, Any], at: Any) -> list[str]:
    if "randomised" not in found:
        return []
    mean, lowest, highest, draws = (
        at("randomised", key).markdown() for key in ("mean", "lowest", "highest", "draws")
    )
    return [
        f"Check: with new weights, attributions of a row have a rank correlation of {mean} with "
        f"those of the trained network ({lowest} to {highest} in {draws} draws). Near 1 they would "
        "not depend on what was learnt."
    ]


def _command(facts: Facts) -> str:
    return f"{code(f'plumbline explain {facts.model}')} explains single rows."
