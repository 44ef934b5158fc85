"""Stages of one ``dvc repro`` side by side, in one DVC process.

The commands run side by side and DVC's own work is done in turns, so that plan, run cache,
parameters, frozen stages and lock entries stay DVC's.
"""

from __future__ import annotations

from plumbline.stage.scheduler import events
from plumbline.stage.scheduler.dvc_adapter import hooks
from plumbline.stage.scheduler.pipeline import Settings


def install(jobs: int, *, has_accelerator: bool = False) -> None:
    """Let ``dvc repro`` in this process run up to ``jobs`` stages at once."""
    if jobs == 1:
        hooks.install(None)
        return
    hooks.install(
        Settings(
            jobs=jobs,
            opener=events.open_plain,
            seconds={},
            admit=lambda stage, running: True,
            has_accelerator=has_accelerator,
        )
    )
