"""The reports that rules are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plumbline import artifacts, names
from plumbline.errors import GateError

ByModel = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Reports:
    """Metrics reports and audits by model, and comparisons of models by data set."""

    metrics: ByModel
    audits: ByModel
    comparisons: ByModel = field(default_factory=dict)

    def of(self, model: str, kind: str) -> Mapping[str, Any]:
        """Return the report of a model.

        Parameters
        ----------
        model : str
        kind : {'metrics', 'audits'}

        Raises
        ------
        GateError
            If the model has none.
        """
        known: ByModel = getattr(self, kind)
        if model not in known:
            what = kind.removesuffix("s") if kind == "audits" else kind
            raise GateError(
                f"gate: model must be one with a report of {what}, {sorted(known)}, got {model!r}"
            )
        return known[model]

    def paired(self, model: str, other: str, quantity: str) -> dict[str, Any] | None:
        """Return ``value, low, high, n`` of the paired difference of two models, None without one.

        A comparison holds each pair in both directions.
        """
        wanted = (model, other, quantity)
        for found in (row for each in self.comparisons.values() for row in each["differences"]):
            if (found["model"], found["other"], found["quantity"]) == wanted:
                return {key: found[key] for key in ("value", "low", "high", "n")}
        return None


def read_reports(root: Path) -> Reports:
    """Return the reports below ``root``."""
    return Reports(
        *(
            {p.stem: artifacts.read_json(p) for p in sorted((root / folder).glob("*.json"))}
            for folder in (names.METRICS_DIR, names.AUDITS, names.COMPARISONS)
        )
    )
