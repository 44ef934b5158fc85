"""The functions of DVC that are wrapped so that stages run side by side and wait for locks.

DVC promises none of them: `check` compares what the wrappers rely on, and another DVC runs its
stages one after another as ever.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from functools import wraps
from pathlib import Path
from typing import Any

from plumbline.stage.scheduler import worker
from plumbline.stage.scheduler.dvc_adapter import lock_text, reproduce, waiting
from plumbline.stage.scheduler.pipeline import Settings

# As of DVC 3.67.1.
SIGNATURES = {
    "dvc.repo.reproduce:_reproduce": (
        "stages", "graph", "force_downstream", "on_error", "force", "repro_fn", "kwargs",
    ),
    "dvc.repo.reproduce:_reproduce_stage": ("stage", "kwargs"),
    "dvc.repo.reproduce:handle_error": ("graph", "on_error", "exc", "stage"),
    "dvc.repo.reproduce:_raise_error": ("exc", "stages"),
    "dvc.stage.run:unlocked_repo": ("f",),
    "dvc.stage.run:_run": ("executable", "cmd", "kwargs"),
    "dvc.stage.run:_make_cmd": ("executable", "cmd"),
    "dvc.stage.run:run_stage": ("stage", "dry", "force", "run_env", "kwargs"),
    "dvc.stage:Stage.run": (
        "self", "dry", "no_commit", "force", "allow_missing", "no_download", "kwargs",
    ),
    "dvc.rwlock:rwlock": ("tmp_dir", "fs", "cmd", "read", "write", "hardlink"),
    "dvc.dvcfile:Lockfile.dump_stages": ("self", "stages", "kwargs"),
    "dvc.stage.serialize:to_lockfile": ("stage", "kwargs"),
    "dvc.dependency.param:load_path": ("fs_path", "fs", "kwargs"),
    "dvc.lock:Lock.lock": ("self",),
    "dvc.repo:Repo._reset": ("self",),
}  # fmt: skip


def differences(signatures: Mapping[str, tuple[str, ...]] | None = None) -> list[str]:
    """Return the functions of the installed DVC that have other parameters, as messages."""
    found = []
    for place, expected in (signatures or SIGNATURES).items():
        module, _, name = place.partition(":")
        try:
            target: Any = importlib.import_module(module)
            for part in name.split("."):
                target = getattr(target, part)
            parameters = tuple(inspect.signature(target).parameters)
        except (ImportError, AttributeError, TypeError, ValueError):
            parameters = ()
        if parameters != expected:
            found.append(f"{place}({', '.join(parameters)}) for ({', '.join(expected)})")
    return found


def install(settings: Settings | None) -> None:
    """Wrap the functions of DVC in this process.

    Parameters
    ----------
    settings : Settings or None
        None: stages run one after another. The process then only waits for locks that other ones
        hold, and writes entries of ``dvc.lock`` without parsing the others.
    """
    if found := differences():
        worker.say(
            f"repro: functions of DVC must be those of 3.67.1, got {'; '.join(found)}; stages run "
            "one after another: install the versions of requirements.lock"
        )
        return
    _wrap_reproduce(importlib.import_module("dvc.repo.reproduce"), settings)
    _wrap_commands(importlib.import_module("dvc.stage.run"))
    _wrap_stage_run(importlib.import_module("dvc.stage").Stage)
    _wrap_rwlock(importlib.import_module("dvc.rwlock"))
    _wrap_lock_file(importlib.import_module("dvc.dvcfile").Lockfile)
    _wrap_parameters(importlib.import_module("dvc.dependency.param"))


def _wrap_reproduce(module: Any, settings: Settings | None) -> None:
    serial = module._reproduce

    @wraps(serial)
    def run(stages: list[Any], graph: Any = None, **options: Any) -> Any:
        # Without a graph (--single-item) the order given is all there is.
        alone = graph is None or options.get("dry") or options.get("interactive")
        if settings is None or alone or not stages:
            return reproduce.in_order(serial, stages, graph=graph, **options)
        order = reproduce.order_of(stages)
        if not order.is_kept:
            worker.say(
                "repro: dvc.lock must be as DVC writes it for stages to run at once, got other "
                "lines; they run one after another"
            )
            return reproduce.in_order(serial, stages, graph=graph, **options)
        return reproduce.side_by_side(module, settings, order, stages, graph, **options)

    module._reproduce = run


def _wrap_commands(module: Any) -> None:
    from dvc.stage.exceptions import StageCmdFailedError

    serial = module._run

    def unlocked_repo(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapper(stage: Any, *args: Any, **options: Any) -> Any:
            mine = worker.current()
            with mine.outside() if mine else _unlocked(stage.repo):
                return function(stage, *args, **options)

        return wrapper

    @wraps(serial)
    def run(executable: Any, cmd: str, **options: Any) -> None:
        if (mine := worker.current()) is None:
            serial(executable, cmd, **options)
        elif code := mine.run(module._make_cmd(executable, cmd), **options):
            raise StageCmdFailedError(cmd, code)

    module.unlocked_repo = unlocked_repo
    module._run = run


@contextmanager
def _unlocked(repo: Any) -> Iterator[None]:
    repo.lock.unlock()
    repo._reset()
    try:
        yield
    finally:
        waiting.for_repository(repo, worker.say)


def _wrap_stage_run(stage_class: Any) -> None:
    plain = stage_class.run

    @wraps(plain)
    def run(self: Any, *args: Any, **options: Any) -> Any:
        # After DVC has found that the stage must run, before it removes the outputs.
        if (mine := worker.current()) and self.cmd and not self.frozen:
            mine.wait_for_admission()
        return plain(self, *args, **options)

    stage_class.run = run


def _wrap_rwlock(module: Any) -> None:
    from dvc.lock import LockError

    plain = module.rwlock

    @contextmanager
    def rwlock(
        tmp_dir: str, fs: Any, cmd: str, read: Sequence[str], write: Sequence[str], hardlink: bool
    ) -> Iterator[None]:
        mine = worker.waiter()
        # Entries of one process and command count as one: each stage needs its own.
        name = f"{cmd} [{mine.name}]" if mine and mine.name else cmd
        said: set[str] = set()
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(plain(tmp_dir, fs, name, read, write, hardlink))
                    break
                except LockError as error:
                    # The first one of a stage holds all of its paths: later ones find them free.
                    if mine is None or mine.holds_paths:
                        raise
                    mine.wait_for_paths(error, said)
            with mine.holding_paths() if mine else ExitStack():
                yield

    module.rwlock = rwlock


def _wrap_lock_file(lock_file: Any) -> None:
    from dvc.stage import serialize
    from dvc.utils.serialize import dumps_yaml

    plain = lock_file.dump_stages

    @wraps(plain)
    def dump_stages(self: Any, stages: Sequence[Any], **options: Any) -> None:
        root = Path(self.repo.root_dir)
        path = reproduce.lock_of(root, self.path)
        for stage in stages:
            data = dumps_yaml({"stages": serialize.to_lockfile(stage, **options)})
            if not lock_text.write(root, path, data.removeprefix("stages:\n")):
                plain(self, stages, **options)
                return
        self.repo.scm_context.track_file(self.relpath)

    lock_file.dump_stages = dump_stages


def _wrap_parameters(module: Any) -> None:
    """Parse a file of parameters once: DVC parses it for every stage and every comparison."""
    plain = module.load_path
    parsed: dict[tuple[str, bytes], Any] = {}

    @wraps(plain)
    def load_path(fs_path: str, fs: Any, **options: Any) -> Any:
        if options:
            return plain(fs_path, fs, **options)
        before = _bytes(fs_path, fs)
        if (found := parsed.get((fs_path, before))) is not None:
            return deepcopy(found)
        found = plain(fs_path, fs)
        if _bytes(fs_path, fs) == before:  # no stage has written it meanwhile
            parsed[fs_path, before] = deepcopy(found)
        return found

    module.load_path = load_path


def _bytes(path: str, fs: Any) -> bytes:
    with fs.open(path, "rb") as file:
        content: bytes = file.read()
    return content
