"""The part of a card about gradients in training, if they were diagnosed."""

from __future__ import annotations

from functools import partial

from plumbline.reporting.cards.facts import Facts
from plumbline.reporting.rendering import Safe, escape

KEY = "diagnostics"  # in the facts of a config; see `plumbline.training.engine.diagnostics`
_SHARES = {
    "dead_share": "the largest share of dead units in a layer is",
    "saturated_share": "the largest share of saturated outputs of a layer is",
}


def gradient_sentences(facts: Facts) -> list[Safe]:
    """Return a line per network: the verdict, what it is based on, and what to try."""
    found = facts.config["facts"].get(KEY) or {}
    return [Safe(_sentence(facts, network)) for network in found]


def _sentence(facts: Facts, network: str) -> str:
    at = partial(facts.book.at, facts.config_file, "facts", KEY, network)
    found = at().value
    parts = []
    if "exploded_at" in found:
        parts.append(f"gradients exploded at batch {at('exploded_at').markdown()}")
    if found["last"]["slope"] is not None:
        parts.append(
            "the logarithm (base 10) of the gradient norm changes by "
            f"{at('last', 'slope').markdown()} per layer towards the input in the last row of the "
            f"history, {at('first', 'slope').markdown()} in the first"
        )
    if found["last"]["update_ratio"] is not None:
        ratio = at("last", "update_ratio").markdown()
        parts.append(f"the norm of an update over that of the weights is {ratio}")
    parts += [
        f"{words} {at('last', key).markdown()}"
        for key, words in _SHARES.items()
        if found["last"][key] is not None
    ]
    told = "; ".join(parts) or "no update was measured"
    return (
        f"Gradient diagnostics of the {escape(network)}, {at('layers').markdown()} layers: "
        f"**{escape(found['verdict'])}**. Measured: {told}. Suggested fix: {escape(found['fix'])}."
    )
