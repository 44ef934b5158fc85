"""Surroundings of a pipeline script: context, process, signals, failure, scratch folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plumbline.stage.context import Run, derive_seed, execute

__all__ = ["Run", "derive_seed", "execute"]

INFRASTRUCTURE = True


def __getattr__(name: str) -> Any:
    """Import the context of a stage where it is used: DVC runs without it and its parameters."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from plumbline.stage import context

    return getattr(context, name)
