"""The audit against its peers: intervals, group tables, AUROC, a Parquet of 100 million rows.

Each comparison first checks that both sides say the same. Peers that take minutes run with few
replicates, and their time is scaled, which is said.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from plumbline.audit.files import Columns, file_to_tensor
from plumbline.metrics import confusions, discrimination, groups
from plumbline.metrics.replicates import replicate_rates
from plumbline.metrics.tensor import Tensor, table_to_tensor

import measure
from measure import Row, faster, take_turns, within

FRAMES = "Some ten milliseconds go into building data frames, whatever the rows."
PASSES = (
    "NumPy counts in several passes over the rows (bin, code, two weighted counts), where one "
    "fused pass in compiled code would do."
)
PARQUET_ROWS = 100_000_000
METRICS = ("selection_rate", "true_positive_rate", "false_positive_rate", "true_negative_rate",
           "accuracy")  # fmt: skip
OPTIONS = {"classes": ("0", "1"), "positive": "1"}
REPLICATES = 1000


def rows() -> Iterator[Row]:
    yield from intervals()
    yield from group_table()
    yield auroc()
    yield parquet(PARQUET_ROWS)


def people(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "y_true": rng.integers(2, size=n),
            "y_pred": rng.integers(2, size=n),
            "sex": rng.choice(["female", "male"], n),
            "race": rng.choice(list("ABCDE"), n),
            "score": rng.random(n),
        }
    )


def peer_frame(table: pd.DataFrame, **options: object) -> object:
    from fairlearn import metrics as peer
    from sklearn.metrics import accuracy_score

    measures = {name: getattr(peer, name) for name in METRICS[:-1]} | {"accuracy": accuracy_score}
    return peer.MetricFrame(
        metrics=measures, y_true=table["y_true"], y_pred=table["y_pred"],
        sensitive_features=table[["race", "sex"]], **options,
    )  # fmt: skip


def count(table: pd.DataFrame) -> Tensor:
    return table_to_tensor(table, attributes=("race", "sex"), **OPTIONS)


def our_table(table: pd.DataFrame) -> pd.DataFrame:
    counts = confusions.tensor_to_counts(count(table), max_order=2)
    rates = groups.counts_to_rates(counts, confidence=0.95)
    return rates[rates["attribute"] == "race×sex"]


def our_intervals(table: pd.DataFrame) -> dict[str, np.ndarray]:
    _, rates = replicate_rates(count(table), ("race", "sex"), replicates=REPLICATES, seed=0)
    return {name: np.nanquantile(rates[name], [0.025, 0.975], axis=0) for name in METRICS}


def intervals() -> Iterator[Row]:
    for n, replicates, goal in ((10_000, 10, 5_000), (100_000, 3, 50_000)):
        table = people(n)
        check_intervals(table)
        turns = take_turns(
            lambda t=table: our_intervals(t),
            lambda t=table, r=replicates: peer_frame(
                t, n_boot=r, ci_quantiles=[0.025, 0.975], random_state=0
            ),
            turns=3,
        )
        yield faster(
            1, "1,000-replicate intervals", f"{n:,}", "fairlearn", turns, goal=goal,
            scale=REPLICATES / replicates,
            note=f"peer: {replicates} replicates, scaled; from strings; 10 groups, 5 metrics",
        )  # fmt: skip


def check_intervals(table: pd.DataFrame) -> None:
    """Hold the deviation of our replicates to the binomial one, which the row bootstrap has."""
    labels, rates = replicate_rates(count(table), ("race", "sex"), replicates=2000, seed=1)
    own = (table["race"] + "×" + table["sex"]).to_numpy()
    for column, label in enumerate(labels):
        decided = table["y_pred"].to_numpy()[own == label]
        expected = np.sqrt(decided.mean() * (1 - decided.mean()) / len(decided))
        assert abs(rates["selection_rate"][:, column].std() / expected - 1) < 0.1


def group_table() -> Iterator[Row]:
    for n in (10_000, 100_000):
        table = people(n)
        ours = our_table(table).set_index(["group", "metric"])["value"]
        theirs = peer_frame(table).by_group
        for metric in METRICS:
            for group, value in theirs[metric].items():
                assert abs(ours["×".join(group), metric] - value) < 1e-12
        turns = take_turns(
            lambda t=table: our_table(t), lambda t=table: peer_frame(t).by_group, turns=5
        )
        yield faster(
            2, "group table", f"{n:,}", "fairlearn", turns, goal=100, why=FRAMES,
            note="ours with intervals and 8 rates; from strings",
        )  # fmt: skip


def auroc() -> Row:
    from plumbline import torchvision_guard

    torchvision_guard.install()
    import torch
    from torchmetrics.functional.classification import binary_auroc

    table = people(1_000_000)
    y, score = torch.tensor(table["y_true"]), torch.tensor(table["score"])
    masks = [torch.tensor((table["race"] == race).to_numpy()) for race in "ABCDE"]

    def ours() -> pd.DataFrame:
        counted = table_to_tensor(table, attributes=("race",), score=table["score"], **OPTIONS)
        rows = discrimination.score_rates(counted, max_order=1, confidence=0.95)
        return rows[(rows["attribute"] == "race") & (rows["metric"] == "auroc")]

    def peer() -> list[float]:
        return [float(binary_auroc(score[mask], y[mask])) for mask in masks]

    assert np.abs(ours()["value"].to_numpy() - peer()).max() < 1e-4
    return faster(
        3, "AUROC of 5 groups", "1,000,000", "torchmetrics", take_turns(ours, peer), goal=30,
        why=PASSES, note="peer: no interval, from tensors; ours: from strings, with intervals",
    )  # fmt: skip


def parquet(n: int) -> Row:
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "decisions.parquet"
        base = duckdb.connect(config={"memory_limit": "2GB", "preserve_insertion_order": False,
                                      "temp_directory": folder})  # fmt: skip
        base.execute(
            "COPY (SELECT ['female', 'male'][1 + CAST(floor(random() * 2) AS INT)] AS sex, "
            "['A', 'B', 'C', 'D', 'E'][1 + CAST(floor(random() * 5) AS INT)] AS race, "
            "CAST(random() < 0.4 AS TINYINT) AS y, CAST(random() < 0.45 AS TINYINT) AS yhat "
            f"FROM range({n})) TO '{path}' (FORMAT parquet)"
        )
        query = f"SELECT race, sex, y, yhat, count(*) FROM '{path}' GROUP BY ALL"
        columns = Columns(label="y", attributes=("race", "sex"), decision="yhat")

        def ours() -> Tensor:
            return file_to_tensor(path, columns)

        theirs = sorted(base.execute(query).fetchall())
        assert [row[-1] for row in theirs] == ours().n.tolist()
        turns = take_turns(ours, lambda: base.execute(query).fetchall(), turns=3)
        words = [
            "audit",
            str(path),
            "--label",
            "y",
            "--decision",
            "yhat",
            "--attributes",
            "sex,race",
        ]
        before = time.perf_counter()
        # Its own peak: what the system tells of a child includes this process before the fork.
        program = (
            "import sys; from plumbline import cli; cli.main(sys.argv[1:]); "
            "print([x for x in open('/proc/self/status') if 'VmHWM' in x][0].split()[1])"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, *words], check=True, capture_output=True, text=True
        )
        whole = time.perf_counter() - before
        peak = int(done.stdout.split()[-1]) // 1024
    return within(
        4, "table of a Parquet file", f"{n:,}", "DuckDB's GROUP BY", turns, goal=1.3,
        note=f"the whole `plumbline audit` takes {whole:.1f} s, peak {peak} MiB",
    )  # fmt: skip


if __name__ == "__main__":
    measure.main(rows, __doc__)
