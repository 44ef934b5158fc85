"""Promotion of a candidate in MLflow's registry, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from plumbline.errors import ArtifactError
from plumbline.runs import records
from plumbline.tracking.registry import registry
from plumbline.tracking.registry.description import LONGEST_TAG, PROMOTION, with_promotion
from plumbline.tracking.registry.fetch import fetch_version
from plumbline.tracking.registry.registry import CANDIDATE, Registry
from plumbline.tracking.tags import shorten
from plumbline.verify.versions import find, promotion
from plumbline.verify.versions.promotion import Decision

_WHERE = "promote"


@dataclass(frozen=True)
class Outcome:
    """A promotion or its refusal.

    Attributes
    ----------
    candidate : int
        Version.
    champion : int or None
        The version that was champion; None for none.
    decision : Decision
    """

    candidate: int
    champion: int | None
    decision: Decision


def promote(root: Path, name: str) -> Outcome:
    """Compare the candidate with the champion, and make it the champion unless it is refused.

    Why is a tag of the candidate in either case.

    Parameters
    ----------
    root : Path
        Work tree, whose parameters, policy and DVC cache are used.
    name : str
        Of the registered model.

    Raises
    ------
    ArtifactError
        If there is no candidate, a version was not made by `plumbline register`, or the store
        does not answer.
    """
    home = records.main_tree(root)
    with registry.opened(home, where=_WHERE) as known:
        candidate, champion = known.aliases(name).get(CANDIDATE), known.champion(name)
        if candidate is None:
            raise ArtifactError(
                f"promote: model {name!r} must have a candidate, got none; run plumbline register"
            )
        decision = _decide(root, known, name, candidate, champion)
        if decision.is_promoted and candidate != champion:
            known.make_champion(name, candidate)
        if decision.is_promoted:
            known.remove_alias(name, CANDIDATE)
        told = "promoted: " if decision.is_promoted else "not promoted: "
        _note(known, name, candidate, told + decision.sentence())
    return Outcome(candidate, champion, decision)


def roll_back(root: Path, name: str) -> tuple[int, int]:
    """Make the champion before the present one champion again.

    Returns
    -------
    tuple of int
        The version that was champion, and the one that is now.

    Raises
    ------
    ArtifactError
        If there was none before, or the store does not answer.
    """
    with registry.opened(records.main_tree(root), where=_WHERE) as known:
        before = known.champion(name)
        now = known.bring_back(name)
        if before is None:
            raise AssertionError("a model without a champion has none before it")
        _note(known, name, before, f"rolled back to version {now}")
    return before, now


def _note(known: Registry, name: str, version: int, told: str) -> None:
    """Write why a version is what it is into its tag and its description."""
    client, told = known.store.client, shorten(told, LONGEST_TAG)
    text = client.get_model_version(name, str(version)).description or ""
    client.set_model_version_tag(name, str(version), PROMOTION, told)
    client.update_model_version(name, str(version), with_promotion(text, told))


def _decide(
    root: Path, known: Registry, name: str, candidate: int, champion: int | None
) -> Decision:
    fetched = fetch_version(known, name, candidate, where=_WHERE)
    if champion is None:
        return Decision((), reason="the first champion, there was none to compare it with")
    if champion == candidate:
        return Decision((), reason="it is the champion already")
    before = fetch_version(known, name, champion, where=_WHERE)
    if before.model != fetched.model:
        return Decision(
            (f"the two cannot be compared: the champion is a {before.model}, the candidate a "
             f"{fetched.model}",)
        )  # fmt: skip
    home = records.main_tree(root)
    return promotion.decide(
        fetched.model,
        find.of_registered(home, before),
        find.of_registered(home, fetched),
        promotion.options_of(root),
    )
