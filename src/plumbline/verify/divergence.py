"""The first step at which two traces diverge, and the first cause in it.

Chains are compared by bisection. Within a step the order is causal (`traces.KINDS`): weights come
from the step before; samples, inputs and random numbers come from outside; losses follow from all
of these, gradients from the losses. Of several layers the first named is, for weights, the one
nearest the input and, for gradients, the one nearest the loss (back-propagation meets it first;
nearness is that of the order in which a network names its layers).
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from plumbline.artifacts import traces
from plumbline.artifacts.traces import Line

RATES, LENGTH = "rates", "length"
Fits = Mapping[str, Sequence[Line]]


@dataclass(frozen=True)
class Difference:
    """One differing value: its layer, position or name, and its value in each trace."""

    name: str
    first: str
    second: str


@dataclass(frozen=True)
class DifferingKind:
    """A kind of value that differs at a step, and where; see `traces.KINDS`."""

    name: str
    differences: tuple[Difference, ...]
    of: int  # how many values of this kind there are


@dataclass(frozen=True)
class Divergence:
    """The first step at which two traces diverge.

    Attributes
    ----------
    fit : str
        Fit of the stage.
    step : int
        From 1.
    kinds : tuple of DifferingKind
        In causal order; `LENGTH` alone where one trace goes on and the other has ended.
    """

    fit: str
    step: int
    kinds: tuple[DifferingKind, ...]

    @property
    def cause(self) -> DifferingKind:
        """The kind that differs first."""
        return self.kinds[0]


def first_divergence(first: Fits, second: Fits) -> Divergence | None:
    """Return the first step at which two traces diverge, None if they are equal.

    Parameters
    ----------
    first, second : mapping
        Lines by fit, as `traces.read` returns them.
    """
    for fit in dict.fromkeys([*first, *second]):
        mine, other = first.get(fit, ()), second.get(fit, ())
        both = min(len(mine), len(other))
        # A chain hashes all lines before it: once different, they stay so.
        at = bisect.bisect_left(
            range(both), True, key=lambda i: mine[i]["chain"] != other[i]["chain"]
        )
        if at < both:
            return Divergence(fit, at + 1, _kinds(mine[at], other[at]))
        if len(mine) != len(other):
            steps = Difference("steps", str(len(mine)), str(len(other)))
            return Divergence(fit, both + 1, (DifferingKind(LENGTH, (steps,), 1),))
    return None


def describe(found: Divergence) -> str:
    """Return one sentence on a divergence."""
    cause = found.cause
    where = f"fit {found.fit!r}, step {found.step}"
    named = _some([difference.name for difference in cause.differences])
    count = f"{len(cause.differences)} of {cause.of}"
    if cause.name == LENGTH:
        steps = cause.differences[0]
        return (
            f"fit {found.fit!r}: equal for {found.step - 1} steps, then one goes on: "
            f"{steps.first} and {steps.second} steps"
        )
    if cause.name == traces.WEIGHTS and found.step == 1:
        return f"{where}: the first weights differ in {count} layers: {named}"
    if cause.name == traces.WEIGHTS:
        rates = next((kind for kind in found.kinds if kind.name == RATES), None)
        cure = "; so did the learning rate of the update before it" if rates else ""
        return (
            f"{where}: weights before the step differ in {count} layers: {named}; all that step "
            f"{found.step - 1} saw and computed agrees, its update does not{cure}"
        )
    said = {
        traces.SAMPLES: f"the batch holds other samples (data order), {count} positions: {named}",
        traces.INPUTS: f"equal samples have other inputs (data or augmentation), {count} tensors",
        traces.RANDOM: "the random generators are in another state",
        traces.LOSS: f"equal weights and inputs give another loss (forward pass): {named}",
        traces.GRADIENT: f"an equal loss gives other gradients (backward pass), in {count} layers, "
        f"the one nearest the loss first: {named}",
        RATES: "the learning rate of the update before it differs, the weights do not",
    }
    return f"{where}: {said[cause.name]}"


def as_dict(found: Divergence | None) -> dict[str, Any]:
    """Return a divergence as JSON values, with its first cause and a sentence."""
    if found is None:
        return {"equal": True}
    summary = {"equal": False, "cause": found.cause.name, "sentence": describe(found)}
    return {**summary, **asdict(found)}


def _kinds(mine: Line, other: Line) -> tuple[DifferingKind, ...]:
    found = []
    for kind in (*traces.KINDS, RATES):
        one, two = _named(mine[kind]), _named(other[kind])
        keys = list(dict.fromkeys([*one, *two]))
        differences = tuple(
            Difference(key, _shown(one.get(key)), _shown(two.get(key)))
            for key in keys
            if one.get(key) != two.get(key)
        )
        if differences:
            found.append(DifferingKind(kind, differences, len(keys)))
    return tuple(found)


def _named(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    return {} if value is None else {"state": value}


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):  # a gradient: digest and norm
        return f"{value[0]}, norm {_number(value[1])}"
    return _number(value)


def _number(value: Any) -> str:
    # A float is shown in both forms: the exact one decides, the other is for reading.
    text = str(value)
    if text.lstrip("-").startswith(("0x", "nan", "inf")):
        return f"{float.fromhex(text):.9g} ({text})"
    return text


def _some(named: Sequence[str], shown: int = 4) -> str:
    more = f" and {len(named) - shown} more" if len(named) > shown else ""
    return ", ".join(named[:shown]) + more
