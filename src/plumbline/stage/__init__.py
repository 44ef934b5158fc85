"""Surroundings of a pipeline script: context, process, signals, failure, scratch folder."""

from plumbline.stage.context import Run, derive_seed, execute

__all__ = ["Run", "derive_seed", "execute"]

INFRASTRUCTURE = True
