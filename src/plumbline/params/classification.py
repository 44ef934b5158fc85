"""How classifiers treat classes: weights in the fit, and the rule of decisions."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator

from plumbline import names
from plumbline.params.blocks import Block


def _class_weights(value: Any) -> Any:
    if value in ("none", "balanced"):
        return value
    rule = "must be none, balanced, or a finite weight above 0 for each class by name"
    if not isinstance(value, dict) or not value:
        raise ValueError(f"{rule}, got {value!r}")
    for name, weight in value.items():
        # A number or yes/no that YAML reads as a value is another name than the data have.
        if not isinstance(name, str) and type(name) is not int:
            raise ValueError(f"{rule}, got the name {name!r}; quote it as the data write it")
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not 0 < weight < math.inf:
            raise ValueError(f"{rule}, got {weight!r} for {name!r}")
    found = {str(name): float(weight) for name, weight in value.items()}
    if len(found) < len(value):
        raise ValueError(f"{rule}, got two weights for one name in {value!r}")
    return found


def _decision(value: Any) -> Any:
    known = (names.ARGMAX, *names.THRESHOLD_METRICS)
    threshold = isinstance(value, float) and 0 < value < 1
    if not threshold and value not in known:
        raise ValueError(
            f"must be {', '.join(known)}, or a threshold in (0, 1), got {value!r}; a metric "
            "chooses the threshold on the validation split"
        )
    return value


class Classification(Block):
    """Weights of classes in the fit of a classifier, and how it decides.

    Attributes
    ----------
    class_weights : {'none', 'balanced'} or mapping
        See `plumbline.metrics.scores.imbalance.class_weights`.
    decision : str or float
        ``argmax``: the most probable class. Of two classes also a threshold for the probability of
        the second one, or the metric for which validation chooses it
        (`plumbline.metrics.scores.imbalance.choose_threshold`).
    """

    class_weights: Annotated[str | dict[str, float], BeforeValidator(_class_weights)]
    decision: Annotated[str | float, BeforeValidator(_decision)]
