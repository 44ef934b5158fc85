"""How time grows with rows, groups, features, samples and stages: each doubled five times.

The exponent is the slope of log seconds over log size, by least squares on the upper four sizes,
where what is spent once no longer counts. Seconds are the processor's: others may be at work. No
exponent may be above the algorithm's own.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from plumbline.metrics.generative import frechet
from plumbline.metrics.groups import confusions
from plumbline.metrics.groups import rates as groups
from plumbline.metrics.groups.contingency import table_to_contingency
from plumbline.runs import dvc_files

import measure
from measure import Row

DOUBLINGS = 5
SLACK = 0.15  # of an exponent measured on a machine that does other things


def rows() -> Iterator[Row]:
    yield grown("audit of a table, by rows", 40_000, audit_rows, own=1)
    yield grown("rates, by groups", 50, audit_groups, own=1)
    yield grown("Fréchet distance, by features", 64, frechet_features, own=3)
    yield grown("Fréchet distance, by samples", 4_000, frechet_samples, own=1)
    with tempfile.TemporaryDirectory() as folder:
        yield grown("reading dvc.yaml, by stages", 20, partial(read_stages, Path(folder)), own=1)


def grown(
    what: str, start: int, prepare: Callable[[int], Callable[[], object]], *, own: int
) -> Row:
    """Measure at ``start`` and its five doublings, the least of three turns at each."""
    sizes = [start * 2**power for power in range(DOUBLINGS + 1)]
    seconds = []
    for size in sizes:
        work = prepare(size)
        work()
        seconds.append(min(clock(work) for _ in range(3)))
    exponent = slope(sizes[-4:], seconds[-4:])
    shown = ", ".join(f"{second:.3g}" for second in seconds)
    return Row(
        21, what, f"{sizes[0]:,} to {sizes[-1]:,}", "the algorithm's own exponent",
        f"{exponent:.2f}", f"≤ {own}", exponent <= own + SLACK, seconds[-1],
        note=f"s: {shown}; up to {SLACK} above counts as noise",
    )  # fmt: skip


def slope(sizes: list[int], seconds: list[float]) -> float:
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def clock(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.process_time()
    work()
    return time.process_time() - start


def people(count: int, *, groups_: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "y_true": rng.integers(2, size=count),
            "y_pred": rng.integers(2, size=count),
            "group": rng.integers(groups_, size=count).astype(str),
        }
    )


def rates(table: pd.DataFrame) -> pd.DataFrame:
    counted = table_to_contingency(table, attributes=("group",), classes=("0", "1"), positive="1")
    counted = replace(counted, most=len(table))  # no group is pooled
    counts = confusions.contingency_to_counts(counted, max_order=1)
    return groups.counts_to_rates(counts, confidence=0.95)


def audit_rows(count: int) -> Callable[[], object]:
    table = people(count, groups_=10)
    return lambda: rates(table)


def audit_groups(count: int) -> Callable[[], object]:
    table = people(20 * count, groups_=count)
    return lambda: rates(table)


def frechet_features(width: int) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    first, second = (rng.normal(size=(width + 500, width)) for _ in range(2))
    return lambda: frechet.features_to_fid(first, second)


def frechet_samples(count: int) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    first, second = (rng.normal(size=(count, 128)) for _ in range(2))
    return lambda: frechet.features_to_fid(first, second)


def read_stages(folder: Path, count: int) -> Callable[[], object]:
    stages = {
        f"stage{i}": {"cmd": f"python a.py {i}", "deps": ["a.py", f"in{i}"], "outs": [f"out{i}"]}
        for i in range(count)
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}), encoding="utf-8")
    return lambda: dvc_files.stages(folder)


if __name__ == "__main__":
    measure.main(rows, __doc__)
