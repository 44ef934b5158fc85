"""When a pipeline will end, from the times of earlier runs."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping
from statistics import fmean

from plumbline.stage.scheduler import order

MOST_UNKNOWN = 0.2  # of the time: with more of it there is no estimate


def seconds_left(
    upstream: Mapping[str, Collection[str]],
    jobs: int,
    expected: Mapping[str, float],
    running: Mapping[str, float],
) -> float | None:
    """Return how many seconds stages take from now on, by a run of their schedule in thought.

    Parameters
    ----------
    upstream : mapping
        Every stage that has not ended, with those that must end before it; others than its keys
        have ended.
    jobs : int
        Stages at once.
    expected : mapping
        Seconds of each stage, where they are known; another stage takes their mean.
    running : mapping
        Seconds since each stage that runs has started.

    Returns
    -------
    float or None
        None if stages whose time is not known would take more than `MOST_UNKNOWN` of the time of
        all.
    """
    known = {stage: expected[stage] for stage in upstream if stage in expected}
    if not upstream or not known:
        return None if upstream else 0.0
    mean = fmean(known.values())
    seconds = {stage: known.get(stage, mean) for stage in upstream}
    unknown = mean * (len(upstream) - len(known))
    if unknown > MOST_UNKNOWN * sum(seconds.values()):
        return None
    # One that takes longer than it did needs a little more: a tenth of what it has taken.
    rest = {
        stage: max(seconds[stage] - since, since / 10)
        for stage, since in running.items()
        if stage in upstream
    }
    return _finish(upstream, jobs, seconds, rest)


def _finish(
    upstream: Mapping[str, Collection[str]],
    jobs: int,
    seconds: Mapping[str, float],
    rest: Mapping[str, float],
) -> float:
    """Return when the last stage ends; the ones in ``rest`` run already, with that to go."""
    downstream: dict[str, list[str]] = {stage: [] for stage in upstream}
    missing = {}
    for stage, before in upstream.items():
        inside = [other for other in before if other in upstream]
        missing[stage] = len(inside)
        for other in inside:
            downstream[other].append(stage)
    path = order.remaining_seconds(downstream, seconds)
    ready = [(-path[stage], stage) for stage, n in missing.items() if not n and stage not in rest]
    heapq.heapify(ready)
    ends = [(left, stage) for stage, left in rest.items()]
    heapq.heapify(ends)
    now = 0.0
    while ready or ends:
        while ready and len(ends) < jobs:
            _, stage = heapq.heappop(ready)
            heapq.heappush(ends, (now + seconds[stage], stage))
        now, stage = heapq.heappop(ends)
        for other in downstream[stage]:
            missing[other] -= 1
            if not missing[other] and other not in rest:
                heapq.heappush(ready, (-path[other], other))
    return now
