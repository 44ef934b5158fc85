"""DVC with a faster writer of ``dvc.lock``, and with stages that run side by side if asked for.

python -m plumbline.stage.run_dvc [--jobs N] repro …
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.runs import processes
from plumbline.stage import signals

if TYPE_CHECKING:  # not imported where DVC runs
    from plumbline import params

# What every ``dvc repro`` imports, some of it only when it reads the stages.
_MODULES = ("dvc.cli.parser", "dvc.repo.reproduce", "dvc.repo.index", "scmrepo.git", "networkx")


class Waiting:
    """A process that imports DVC and waits for its command, which is found out meanwhile.

    Attributes
    ----------
    process : subprocess.Popen
    stdout : file
        Its standard output, if `begin` is told so.
    """

    def __init__(self, root: Path) -> None:
        command, told = os.pipe()
        output, self._stdout = os.pipe()
        self._told, self.stdout = os.fdopen(told, "w"), os.fdopen(output, "rb")
        words = ["--parent", str(os.getpid()), "--told", str(command)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", processes.RUN_DVC, *words],
            cwd=root,
            env=environment(),
            pass_fds=[command, self._stdout],
        )
        os.close(command)

    def begin(self, words: Sequence[str], *, piped: bool) -> None:
        """Let it run a command, see `repro_words`, with its output in a pipe or as it is here."""
        to = ["--stdout", str(self._stdout)] if piped else []
        # Of one that was killed the exit code tells.
        with contextlib.suppress(BrokenPipeError), self._told:
            json.dump([*to, *words], self._told)
        os.close(self._stdout)

    def close(self) -> None:
        """End it if it has not begun."""
        if not self._told.closed:
            self._told.close()
            os.close(self._stdout)
            self.process.kill()
            self.process.wait()
        self.stdout.close()


def environment() -> dict[str, str]:
    """Return the environment of a pipeline: this interpreter first on the path, no telemetry."""
    here = os.path.dirname(sys.executable)
    path = os.pathsep.join([here, os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1"}


def repro_command(parameters: params.Params, words: Sequence[str], jobs: int) -> list[str]:
    """Return the command of a ``dvc repro`` that ends with this process; see `main`."""
    parent = ["--parent", str(os.getpid())]
    words = repro_words(parameters, words, jobs)
    return [sys.executable, "-m", processes.RUN_DVC, *parent, *words]


def repro_words(parameters: params.Params, words: Sequence[str], jobs: int) -> list[str]:
    """Return the arguments of `main` for a ``dvc repro``."""
    accelerator = ["--accelerator"] if parameters.trainer.accelerator != "cpu" else []
    return ["--jobs", str(jobs), *accelerator, "repro", *words]


def jobs_of(parameters: params.Params, jobs: int | None) -> int:
    """Return a number of stages at once; for None as many as the processors hold."""
    from plumbline.stage.scheduler import jobs as default_jobs

    return jobs or default_jobs.default(parameters.trainer.threads)


def main(arguments: Sequence[str]) -> int:
    """Run a command of DVC and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m plumbline.stage.run_dvc")
    parser.add_argument("--jobs", type=int, default=1, help="stages at once")
    parser.add_argument(
        "--accelerator", action="store_true", help="trainings share one: they run one at a time"
    )
    parser.add_argument("--parent", type=int, help="process with whose end this one ends")
    parser.add_argument("--told", type=int, help="pipe that the other arguments come from")
    parser.add_argument("--stdout", type=int, help="pipe that the output goes to")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="arguments of dvc")
    options = parser.parse_args(arguments)
    if options.parent is not None:
        signals.end_with_parent(options.parent)
    if options.told is not None:
        try:
            options = parser.parse_args(_told(options.told))
        except (KeyboardInterrupt, ValueError):  # the parent ends and has told nothing
            return 1
    if options.stdout is not None:
        os.dup2(options.stdout, sys.stdout.fileno())
        os.close(options.stdout)
    from dvc.cli import main as dvc

    from plumbline.stage import scheduler

    scheduler.install(options.jobs, has_accelerator=options.accelerator)
    return int(dvc(options.command))


def _told(pipe: int) -> list[str]:
    """Import what every command needs, then return the one that a `Waiting` is told."""
    for module in _MODULES:
        with contextlib.suppress(ImportError):  # of another DVC: it imports what it needs
            importlib.import_module(module)
    importlib.import_module("plumbline.stage.scheduler")
    with open(pipe, encoding="utf-8") as stream:
        words: list[str] = json.load(stream)
    return words


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
