"""Order in which stages of a pipeline start: those before the longest rest come first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean


def remaining_seconds(
    downstream: Mapping[str, Iterable[str]], seconds: Mapping[str, float]
) -> dict[str, float]:
    """Return for each stage how long the longest path from its start to the end takes.

    With enough processors the pipeline takes as long as its longest path (the critical path), so
    a stage with more of it before it should not wait for one with less.

    Parameters
    ----------
    downstream : mapping
        Every stage, and those that depend on it directly; others than its keys are ignored.
    seconds : mapping
        Expected duration of stages, at least 0. A stage without one counts as long as the mean of
        those of this pipeline that have one; as 1 if none has.
    """
    known = [seconds[stage] for stage in downstream if stage in seconds]
    default = fmean(known) if known else 1.0
    found: dict[str, float] = {}
    for stage in _last_first(downstream):
        after = [found[other] for other in downstream[stage] if other in downstream]
        found[stage] = seconds.get(stage, default) + max(after, default=0.0)
    return found


def _last_first(downstream: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the stages with each one behind all that depend on it."""
    done: dict[str, None] = {}
    for first in downstream:
        stack = [(first, iter(downstream[first]))]
        while stack:
            stage, rest = stack[-1]
            for other in rest:
                if other in downstream and other not in done:
                    stack.append((other, iter(downstream[other])))
                    break
            else:
                stack.pop()
                done[stage] = None
    return list(done)
