"""DVC with a faster writer of ``dvc.lock``, and with stages that run side by side if asked for.

python -m plumbline.stage.run_dvc [--jobs N] repro …
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from plumbline.runs import processes
from plumbline.stage import scheduler, signals
from plumbline.stage.scheduler import jobs as default_jobs

if TYPE_CHECKING:  # not imported where DVC runs
    from plumbline import params


def repro_command(parameters: params.Params, words: Sequence[str], jobs: int) -> list[str]:
    """Return the command of a ``dvc repro`` that ends with this process; see `main`."""
    accelerator = ["--accelerator"] if parameters.trainer.accelerator != "cpu" else []
    options = ["--jobs", str(jobs), "--parent", str(os.getpid()), *accelerator]
    return [sys.executable, "-m", processes.RUN_DVC, *options, "repro", *words]


def jobs_of(parameters: params.Params, jobs: int | None) -> int:
    """Return a number of stages at once; for None as many as the processors hold."""
    return jobs or default_jobs.default(parameters.trainer.threads)


def main(arguments: Sequence[str]) -> int:
    """Run a command of DVC and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m plumbline.stage.run_dvc")
    parser.add_argument("--jobs", type=int, default=1, help="stages at once")
    parser.add_argument(
        "--accelerator", action="store_true", help="trainings share one: they run one at a time"
    )
    parser.add_argument("--parent", type=int, help="process with whose end this one ends")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="arguments of dvc")
    options = parser.parse_args(arguments)
    if options.parent is not None:
        signals.end_with_parent(options.parent)
    from dvc.cli import main as dvc

    scheduler.install(options.jobs, has_accelerator=options.accelerator)
    return int(dvc(options.command))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
