"""Stages of one ``dvc repro`` side by side, in one DVC process.

The commands run side by side and DVC's own work is done in turns, so that plan, run cache,
parameters, frozen stages and lock entries stay DVC's.
"""

from __future__ import annotations

from pathlib import Path

from plumbline.stage import memory, run_times
from plumbline.stage.scheduler.display import open_display
from plumbline.stage.scheduler.dvc_adapter import hooks
from plumbline.stage.scheduler.pipeline import Settings


def install(jobs: int, *, has_accelerator: bool = False) -> None:
    """Let ``dvc repro`` in this process run up to ``jobs`` stages at once."""
    if jobs == 1:
        hooks.install(None)
        return
    past = run_times.read(Path.cwd())
    seconds = {name: one.seconds for name, one in past.items() if one.seconds is not None}
    peaks = {name: one.peak_memory for name, one in past.items() if one.peak_memory}
    hooks.install(
        Settings(
            jobs=jobs,
            opener=open_display,
            seconds=seconds,
            admit=memory.Memory(peaks),
            has_accelerator=has_accelerator,
        )
    )
