"""Whether a candidate may follow the champion: main metric and group gaps on the same test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from plumbline import names, params
from plumbline.artifacts import Predictions
from plumbline.audit.options import AuditOptions, declared_margins
from plumbline.metrics.estimates import MetricOptions
from plumbline.params.policy import POLICY, load_policy
from plumbline.verify.versions import compare
from plumbline.verify.versions.find import ModelVersion, Version
from plumbline.verify.versions.gap_growth import Growth, growths

_ACCEPTED = (names.BETTER, compare.WITHIN_NOISE)
_SHOWN = 3  # gaps that a sentence names


@dataclass(frozen=True)
class Options:
    """How versions are compared: metrics and gaps, with the margins of the policy."""

    metrics: MetricOptions
    gaps: AuditOptions


@dataclass(frozen=True)
class Decision:
    """What a comparison leads to.

    Attributes
    ----------
    refusals : tuple of str
        Why the candidate is not promoted; empty if it is.
    main : mapping or None
        The difference of the main metric: ``quantity, a, b, value, low, high, verdict``; None for
        identical predictions, or where there is no champion.
    growths : tuple of Growth
        Of every gap that has a margin, largest first.
    left_out : tuple of str
        Gaps that could not be compared.
    reason : str
        What was compared, in one line.
    """

    refusals: tuple[str, ...]
    main: Mapping[str, Any] | None = None
    growths: tuple[Growth, ...] = ()
    left_out: tuple[str, ...] = field(default=())
    reason: str = ""

    @property
    def is_promoted(self) -> bool:
        """Whether nothing speaks against the candidate."""
        return not self.refusals

    def sentence(self) -> str:
        """Return why, in one line."""
        return "; ".join(self.refusals) or self.reason


def options_of(root: Path) -> Options:
    """Return the options of a work tree: its parameters and the margins of its policy."""
    found = params.load(root / params.PARAMS)
    margins = declared_margins(load_policy(root / POLICY).margins)
    gaps = AuditOptions(**found.audit.options(), seed=found.seed, margins=margins)
    return Options(compare.options_of(root), gaps)


def decide(
    model: str, champion: ModelVersion, candidate: ModelVersion, options: Options
) -> Decision:
    """Compare a candidate with the champion.

    It is refused if the paired comparison shows its main metric to be worse, or cannot be made, and
    if a group gap grows beyond its margin (`Growth.is_beyond`).

    Parameters
    ----------
    model : str
        Name in the catalogue.
    champion, candidate : ModelVersion
    options : Options
    """
    if champion.digest and champion.digest == candidate.digest:
        return Decision((), reason="its predictions are those of the champion")
    versions = (Version("champion", {model: champion}), Version("candidate", {model: candidate}))
    (found,) = compare.compare(*versions, options.metrics)["models"]
    quantity = found["main_metric"]
    main = next((row for row in found["differences"] if row["quantity"] == quantity), None)
    if found["reason"] or main is None:
        why = found["reason"] or f"both must have the main metric {quantity}, got only one with it"
        return Decision((f"the two cannot be compared: {why}",), main)
    grown, left_out = growths(
        champion.audit, candidate.audit, _tables(champion, candidate), options.gaps
    )
    refusals = [*_about_metric(main), *_about_gaps([one for one in grown if one.is_beyond])]
    reason = (
        f"{quantity} {difference(main)} is {main['verdict']}, and none of {len(grown)} group gaps "
        "with a margin grows beyond it"
    )
    return Decision(tuple(refusals), main, tuple(grown), tuple(left_out), reason)


def difference(row: Mapping[str, Any]) -> str:
    """Return ``+0.012 [-0.034, +0.058]``."""
    if row["low"] is None or row["high"] is None:
        return f"{row['value']:+.3g}"
    return f"{row['value']:+.3g} [{row['low']:+.3g}, {row['high']:+.3g}]"


def growth_text(one: Growth) -> str:
    """Return the growth of a gap with its interval, as `difference`."""
    return difference({"value": one.value, "low": one.low, "high": one.high})


def _tables(a: ModelVersion, b: ModelVersion) -> tuple[Predictions, Predictions] | None:
    if a.predictions is None or b.predictions is None:
        return None
    first, second = (Predictions.read(path) for path in (a.predictions, b.predictions))
    return replace(first, model="champion"), replace(second, model="candidate")


def _about_metric(main: Mapping[str, Any]) -> list[str]:
    if main["verdict"] in _ACCEPTED:
        return []
    if main["verdict"] == names.WORSE:
        return [f"{main['quantity']} is worse by {difference(main)}"]
    return [f"the difference of {main['quantity']} has {main['verdict']}, got {difference(main)}"]


def _about_gaps(beyond: list[Growth]) -> list[str]:
    if not beyond:
        return []
    shown = [
        f"{one.name} from {one.before:.3g} to {one.after:.3g}, margin {one.margin:g}"
        for one in beyond[:_SHOWN]
    ]
    more = f" and {len(beyond) - _SHOWN} more" if len(beyond) > _SHOWN else ""
    gaps = "gap grows" if len(beyond) == 1 else "gaps grow"
    return [f"{len(beyond)} group {gaps} beyond the margin: {', '.join(shown)}{more}"]
