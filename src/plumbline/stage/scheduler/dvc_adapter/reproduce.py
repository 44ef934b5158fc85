"""Replacements of DVC's loop over the stages of a plan: in order, and side by side."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from plumbline.stage.scheduler import worker
from plumbline.stage.scheduler.dvc_adapter import lock_text
from plumbline.stage.scheduler.pipeline import Node, Pipeline, Settings


def in_order(serial: Callable[..., Any], stages: list[Any], **options: Any) -> Any:
    """Run stages one after another by DVC's own loop."""
    if options.get("dry") or not stages:
        return serial(stages, **options)
    with lock_text.kept(order_of(stages)) as order, worker.serial(stages[0].repo):
        try:
            done = serial(stages, **options)
        except Exception:
            if options.get("on_error", "fail") != "fail":
                order.complete()
            raise
        order.complete()
        return done


def side_by_side(
    module: Any,
    settings: Settings,
    order: lock_text.Order,
    stages: list[Any],
    graph: Any,
    *,
    force_downstream: bool = False,
    on_error: str = "fail",
    force: bool = False,
    repro_fn: Callable[..., Any] | None = None,
    **options: Any,
) -> list[Any]:
    """Run stages side by side, each as DVC would: ``module._reproduce`` has these parameters.

    Raises
    ------
    dvc.exceptions.ReproductionError
        If a stage failed.
    KeyboardInterrupt
        If Ctrl-C came while none ran.
    """
    run_one = repro_fn or module._reproduce_stage
    names = _names(stages)
    forced = dict.fromkeys(stages, force)

    def reproduce(node: Node) -> Any:
        upstream = list(graph.successors(node.stage))
        is_forced = forced[node.stage]
        result = run_one(node.stage, upstream=upstream, force=is_forced, **options)
        if force_downstream and (result or is_forced):
            forced.update(dict.fromkeys(graph.predecessors(node.stage), True))
        return result

    def on_failure(node: Node, error: Exception, dependents: set[str]) -> set[str]:
        if on_error == "fail":
            return dependents
        skipped = module.handle_error(graph, on_error, error, node.stage)
        return {names[stage] for stage in skipped if stage in names}

    nodes = _nodes(stages, names, graph, settings)
    pipeline = Pipeline(stages[0].repo, nodes, reproduce, on_failure, settings)
    with lock_text.kept(order):
        done = pipeline.run()
    if pipeline.signal == signal.SIGTERM:
        _terminate()
    failed = [stage for stage, name in names.items() if name in pipeline.failed]
    if not pipeline.signal and (not failed or on_error != "fail"):
        order.complete()
    if failed and on_error != "ignore":
        errors = list(pipeline.failed.values())
        module._raise_error(errors[0] if on_error == "fail" and not errors[1:] else None, *failed)
    if pipeline.signal:
        raise KeyboardInterrupt
    return done


def order_of(stages: Sequence[Any]) -> lock_text.Order:
    """Return the order of the entries of stages in their locks; imports have files of their own."""
    from dvc.stage import PipelineStage

    root = Path(stages[0].repo.root_dir)
    plan: dict[str, list[str]] = {}
    for stage in stages:
        if isinstance(stage, PipelineStage):
            plan.setdefault(lock_of(root, stage.path), []).append(stage.name)
    return lock_text.Order(root, plan)


def lock_of(root: Path, file: str) -> str:
    """Return the lock of a ``dvc.yaml`` relative to the root of its repository."""
    return Path(os.path.relpath(file, root)).with_suffix(".lock").as_posix()


def _names(stages: Sequence[Any]) -> dict[Any, str]:
    """Return names without the file of a pipeline, unless two pipelines share one."""
    plain = [stage.addressing.rpartition(":")[2] for stage in stages]
    if len({*plain}) < len(plain):
        plain = [stage.addressing for stage in stages]
    return dict(zip(stages, plain, strict=True))


def _nodes(
    stages: Sequence[Any], names: dict[Any, str], graph: Any, settings: Settings
) -> list[Node]:
    upstream = {stage: {*graph.successors(stage)} for stage in stages}
    # DVC does not bring the dependencies of a frozen stage up to date for it, but may run both: in
    # the order of the plan.
    if any(stage.frozen for stage in stages):
        whole = stages[0].repo.index.graph
        places = {stage: place for place, stage in enumerate(stages)}
        for stage in (s for s in stages if s.frozen):
            for other in {*whole.successors(stage)} & places.keys():
                first, last = sorted((stage, other), key=places.__getitem__)
                upstream[last].add(first)
    return [
        Node(
            name=names[stage],
            stage=stage,
            uses_accelerator=settings.has_accelerator and _lists_trainer(stage),
            upstream=frozenset(names[other] for other in upstream[stage] if other in names),
        )
        for stage in stages
    ]


def _lists_trainer(stage: Any) -> bool:
    """Return whether a stage trains: whether it depends on the parameters of the Trainer."""
    listed = (name for dep in stage.deps for name in getattr(dep, "params", ()))
    return any(name.split(".")[0] == "trainer" for name in listed)


def _terminate() -> None:
    """End this process as SIGTERM ends one that does not handle it."""
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.raise_signal(signal.SIGTERM)
