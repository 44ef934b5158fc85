"""The other processes of a fit on this machine: start, watch and end them.

Lightning would start them itself, but kills the first process without a message within five seconds
of the death of another. Where torchrun or SLURM has started the processes, nothing is started here.
They last as long as this process: a stage with two fits uses them for both.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

from pytorch_lightning import Trainer
from pytorch_lightning.strategies import ParallelStrategy

from plumbline.errors import TrainingError

_GRACE = 15.0  # seconds for the first process to notice a death itself; within NCCL it never does
_MOMENT = 3.0  # seconds: a broken connection may be noticed before the exit that broke it
_INTERVAL = 0.5

_others: list[subprocess.Popen[bytes]] = []  # rank 1 first
_over = threading.Event()


@contextlib.contextmanager
def process_group(trainer: Trainer, *, stage: str) -> Iterator[None]:
    """Run a fit with all its processes, and end them all if it fails.

    Parameters
    ----------
    trainer : Trainer
    stage : str
        Named in messages.

    Raises
    ------
    TrainingError
        If one of the processes started here ended before the fit did.
    """
    strategy = trainer.strategy
    environment = strategy.cluster_environment if isinstance(strategy, ParallelStrategy) else None
    if environment is not None and not environment.creates_processes_externally:
        # Lightning finds these and takes the processes for started.
        os.environ |= {
            "MASTER_ADDR": environment.main_address,
            "MASTER_PORT": str(environment.main_port),
            "LOCAL_RANK": "0",
        }
        start([sys.executable, *sys.orig_argv[1:]], count=trainer.num_devices, stage=stage)
    try:
        yield
    except Exception as error:
        text = None if isinstance(error, TrainingError) else failure(stage, within=_MOMENT)
        end()
        if text is not None:
            raise TrainingError(text) from error
        raise
    except BaseException:
        end()
        raise


def start(command: Sequence[str], *, count: int, stage: str) -> None:
    """Start the processes of local ranks 1 to ``count`` - 1 with a command, and watch them."""
    _over.clear()
    for rank in range(1, count):
        env = {**os.environ, "LOCAL_RANK": str(rank)}
        _others.append(subprocess.Popen(command, env=env))
    if _others:
        atexit.register(wait)
        threading.Thread(target=_watch, args=(stage,), daemon=True).start()


def failure(stage: str, *, within: float) -> str | None:
    """Return a message on the first process that failed, None if none fails in these seconds."""
    until = time.monotonic() + within
    while _others:
        for rank, process in enumerate(_others, start=1):
            if code := process.poll():
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                return (
                    f"{stage}: every process of the training must live until its end, got local "
                    f"rank {rank} ended by {how}; see its own message above, or look for a lack "
                    "of memory, and run it again"
                )
        if time.monotonic() >= until:
            break
        time.sleep(0.05)
    return None


def end() -> None:
    """Kill the processes that still run; they keep no results."""
    _over.set()
    for process in _others:
        process.kill()
        process.wait()
    _others.clear()


def wait(seconds: float = 60.0) -> None:
    """Wait for the processes, which end by themselves after the last collective call."""
    _over.set()
    for process in _others:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
    end()


def _watch(stage: str) -> None:
    while not _over.wait(_INTERVAL):
        text = failure(stage, within=0)
        if text is not None:
            if not _over.wait(_GRACE):  # the main thread hangs in a call that no signal interrupts
                print(text, file=sys.stderr, flush=True)
                for process in _others:
                    process.kill()
                os._exit(TrainingError.exit_code)
            return
