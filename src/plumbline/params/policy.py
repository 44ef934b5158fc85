"""The policy that a merge must keep: the rules of ``policy.yaml``."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from plumbline import catalog, names
from plumbline.params import Params, read_yaml, validate
from plumbline.params.blocks import Block, Positive

POLICY = "policy.yaml"


def _quoted_day(value: Any) -> Any:
    if isinstance(value, datetime.date):
        raise ValueError(f"must stand in quotes, got {value}; DVC reads no bare date")
    return value


Day = Annotated[datetime.date, BeforeValidator(_quoted_day)]


class GapAddress(Block):
    """A gap of an audit; attribute ``*`` stands for each attribute that is no intersection."""

    attribute: str
    metric: str
    comparison: Literal["difference", "ratio"]


class QuantityAddress(Block):
    """A number of another model, from which the rule takes the difference."""

    model: str
    quantity: str


class GapMargin(Block):
    """The largest gap of some metrics that counts as practically none, and who says so.

    Of a ratio, ``margin`` to ``1 / margin`` is within it; see `plumbline.audit.options.Margin`.
    """

    metrics: Annotated[tuple[str, ...], Field(min_length=1)]
    comparison: Literal["difference", "ratio"]
    margin: Positive
    source: Literal["legal", "guideline", "engineering"]
    owner: Annotated[str, Field(min_length=1)]
    rationale: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _is_a_margin(self) -> GapMargin:
        if self.comparison == "ratio" and self.margin >= 1:
            raise ValueError(f"margin of a ratio must be in (0, 1), got {self.margin:g}")
        if unknown := [metric for metric in self.metrics if metric not in names.COMPARED]:
            known = ", ".join(names.COMPARED)
            raise ValueError(f"metrics must be of {known}, got {unknown[0]!r}")
        return self


Result = Literal["pass", "warn", "fail"]


class GateVerdicts(Block):
    """What the audit's verdict on a gap leads to; bounds can only make it worse."""

    difference: Result = "fail"
    equivalent: Result = "pass"
    inconclusive: Result = "warn"
    insufficient: Result = "fail"


class GateWaiver(Block):
    """Who lets a failing rule pass, why, and through which day."""

    who: Annotated[str, Field(min_length=1)]
    why: Annotated[str, Field(min_length=1)]
    until: Day


class GateRule(Block):
    """A threshold with its source and rationale; with ``less``, on a difference of two models.

    ``min`` and ``max`` bound the value. With ``undecided`` they bound its whole interval: on the
    wrong side the rule fails, around the bound it does what ``undecided`` says; ``interval: true``
    is ``undecided: fail``. With ``missed: warn`` the wrong side is a warning: the rule is a
    comparison that is reported and blocks no merge. ``owner`` reviews the rule by ``expires``, the
    last day on which it holds. With ``data`` it is about these sources only. ``absent``: what
    follows where the data lack the attribute, metric or quantity.
    """

    model: str
    quantity: str | None = None
    gap: GapAddress | None = None
    less: QuantityAddress | None = None
    min: float | None = None
    max: float | None = None
    interval: bool = False
    undecided: Result | None = None
    missed: Literal["warn", "fail"] = "fail"
    verdicts: GateVerdicts | None = None
    data: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    absent: Literal["pass", "fail"] = "fail"
    source: Literal["legal", "guideline", "engineering"]
    owner: Annotated[str, Field(min_length=1)]
    rationale: Annotated[str, Field(min_length=1)]
    expires: Day | None
    waiver: GateWaiver | None = None

    @model_validator(mode="before")
    @classmethod
    def _gap_has_verdicts(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and raw.get("gap") is not None and raw.get("verdicts") is None:
            return {**raw, "verdicts": {}}
        return raw

    @model_validator(mode="after")
    def _has_a_bound(self) -> GateRule:
        if self.min is None and self.max is None:
            if self.interval or self.undecided:
                raise ValueError("interval and undecided must stand with min or max, got neither")
            if self.verdicts is None or set(self.verdicts.model_dump().values()) == {"pass"}:
                raise ValueError("a rule must have min or max, got neither")
        return self

    @model_validator(mode="after")
    def _has_one_subject(self) -> GateRule:
        if (self.quantity is None) == (self.gap is None):
            got = "neither" if self.gap is None else "both"
            raise ValueError(f"a rule must have either a quantity or a gap, got {got}")
        if self.gap and self.less:
            raise ValueError("less must stand with a quantity, got a gap")
        if self.gap and self.missed == "warn":
            raise ValueError("missed must stand with a quantity, got a gap")
        if self.quantity and self.verdicts:
            raise ValueError("verdicts must stand with a gap, got a quantity")
        return self


class Policy(Block):
    """All of ``policy.yaml``."""

    rules: tuple[GateRule, ...]
    margins: tuple[GapMargin, ...] = ()  # without one, no gap is called equivalent

    @model_validator(mode="after")
    def _metrics_have_one_margin(self) -> Policy:
        seen: set[tuple[str, str]] = set()
        for place, one in enumerate(self.margins):
            for key in ((metric, one.comparison) for metric in one.metrics):
                if key in seen:
                    raise ValueError(
                        f"margins.{place}.metrics must have one margin each, got another for the "
                        f"{key[1]} of {key[0]!r}"
                    )
                seen.add(key)
        return self

    @model_validator(mode="after")
    def _rules_are_about_models_and_their_data(self) -> Policy:
        known = catalog.models()
        for place, rule in enumerate(self.rules):
            where = f"rules.{place}"
            for model in filter(None, (rule.model, rule.less and rule.less.model)):
                if model not in known:
                    raise ValueError(
                        f"{where}.model must be one of {', '.join(known)}, got {model!r}"
                    )
            block = catalog.dataset(known[rule.model].dataset).params
            sources = known_sources(block)
            if unknown := [source for source in rule.data or () if source not in sources]:
                raise ValueError(
                    f"{where}.data must be sources of {block}, which {rule.model} learns from, "
                    f"got {unknown[0]!r}"
                )
        return self


def known_sources(block: str) -> tuple[str, ...]:
    """Return the values that ``source`` may have in a block ``data_<data set>``."""
    model = Params.model_fields[block].annotation
    assert model is not None
    return get_args(model.model_fields["source"].annotation)


def load_policy(path: Path | str = POLICY) -> Policy:
    """Read and check ``policy.yaml``.

    Raises
    ------
    ParamsError
        If the file is missing, is no YAML mapping, or breaks any rule; the message holds one line
        per fault.
    """
    path = Path(path)
    return validate(Policy, read_yaml(path, path.name), path.name)
