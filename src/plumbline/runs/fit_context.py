"""The context that a stage gives to a fit. It imports no torch, so that stages start quickly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plumbline.params.models import TrainerParams

Sink = Callable[..., None]  # called as sink(values, step=int), like `plumbline.stage.Run.metrics`


@dataclass(frozen=True)
class FitContext:
    """The surroundings of a fit: its name, folder, seed, trainer settings and listeners.

    Attributes
    ----------
    stage : str
        Named in progress lines and errors.
    work : Path
        Scratch folder for checkpoints, of this fit with these inputs alone. A fit resumes from
        the checkpoints that it finds there, and returns the result that it finds there.
    seed : int
    trainer : TrainerParams
    sink : callable or None
        Takes ``(values, step=step)`` for every logged value, e.g. ``run.metrics``.
    check : callable or None
        Called before anything is kept in ``work``; raises if the inputs of the fit have changed,
        e.g. ``run.check_unchanged``.
    trace : Path or None
        File for the trace of the steps; the name of ``work`` identifies the fit in it.
    """

    stage: str
    work: Path
    seed: int
    trainer: TrainerParams
    sink: Sink | None = None
    check: Callable[[], None] | None = None
    trace: Path | None = None

    @property
    def model(self) -> str:
        """Name of the model in the catalogue: the item of the stage."""
        return self.stage.rpartition("@")[2]
