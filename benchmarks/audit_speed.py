"""The audit against its peers, interleaved in one run: ``python benchmarks/audit_speed.py``.

Writes ``benchmarks/AUDIT_SPEED.md`` in some 4 min. Each comparison first checks that both sides say
the same, then takes turns; ratios are of medians. Peers that take minutes run with few replicates,
and their time is scaled, which is said. ``--rows`` is the length of the Parquet file of the last
row.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from plumbline.artifacts import write_text
from plumbline.audit.files import Columns, file_to_tensor
from plumbline.metrics import confusions, discrimination, groups
from plumbline.metrics.replicates import replicate_rates
from plumbline.metrics.tensor import Tensor, table_to_tensor

WHY = """
Where a goal is missed: at 10,000 rows a group table costs some ten milliseconds of building data
frames, whatever the rows; AUROC is counted with NumPy in several passes over the rows (bin, code,
two weighted counts), where one fused pass in compiled code would do, which is left until the house
has compiled code anyway.
"""
METRICS = ("selection_rate", "true_positive_rate", "false_positive_rate", "true_negative_rate",
           "accuracy")  # fmt: skip
OPTIONS = {"classes": ("0", "1"), "positive": "1"}
REPLICATES = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000_000)
    rows = [*intervals(), *group_table(), auroc(), parquet(parser.parse_args().rows)]
    text = (
        "# The audit against its peers\n\nWritten by `benchmarks/audit_speed.py`, "
        f"Python {platform.python_version()}, {platform.machine()}, medians of interleaved runs. "
        "Ratios are meant, seconds are this machine's. Equality was checked before timing.\n\n"
        "| what | rows | ours, s | peer, s | ratio | goal | note |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        + "\n".join("| " + " | ".join(row) + " |" for row in rows)
        + "\n"
    )
    write_text(Path(__file__).with_name("AUDIT_SPEED.md"), text + WHY)
    print(text)


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


def intervals() -> list[list[str]]:
    rows = []
    for n, replicates, goal in ((10_000, 10, "≥ 5,000"), (100_000, 3, "≥ 50,000")):
        table = people(n)
        check_intervals(table)
        ours, peer = interleaved(
            lambda t=table: our_intervals(t),
            lambda t=table, r=replicates: peer_frame(
                t, n_boot=r, ci_quantiles=[0.025, 0.975], random_state=0
            ),
            turns=3,
        )
        scaled = peer * REPLICATES / replicates
        note = f"fairlearn {replicates} replicates, scaled; from strings; 10 groups, 5 metrics"
        rows.append(["1000-replicate intervals", f"{n:,}", *figures(ours, scaled), goal, note])
    return rows


def check_intervals(table: pd.DataFrame) -> None:
    """Hold the deviation of our replicates to the binomial one, which the row bootstrap has."""
    labels, rates = replicate_rates(count(table), ("race", "sex"), replicates=2000, seed=1)
    own = (table["race"] + "×" + table["sex"]).to_numpy()
    for column, label in enumerate(labels):
        decided = table["y_pred"].to_numpy()[own == label]
        expected = np.sqrt(decided.mean() * (1 - decided.mean()) / len(decided))
        assert abs(rates["selection_rate"][:, column].std() / expected - 1) < 0.1


def group_table() -> list[list[str]]:
    rows = []
    for n in (10_000, 100_000):
        table = people(n)
        ours = our_table(table).set_index(["group", "metric"])["value"]
        theirs = peer_frame(table).by_group
        for metric in METRICS:
            for group, value in theirs[metric].items():
                assert abs(ours["×".join(group), metric] - value) < 1e-12
        mine, peer = interleaved(
            lambda t=table: our_table(t), lambda t=table: peer_frame(t).by_group, turns=5
        )
        note = "fairlearn; ours with intervals and 8 rates, from strings"
        rows.append(["group table", f"{n:,}", *figures(mine, peer), "≥ 100", note])
    return rows


def auroc() -> list[str]:
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
    note = "torchmetrics, no interval, from tensors; ours from strings, with intervals"
    return ["AUROC of 5 groups", "1,000,000", *figures(*interleaved(ours, peer, turns=5)), "≥ 30",
            note]  # fmt: skip


def parquet(n: int) -> list[str]:
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
        mine, peer = interleaved(ours, lambda: base.execute(query).fetchall(), turns=3)
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
    note = f"DuckDB's GROUP BY alone; the whole `plumbline audit` {whole:.1f} s, peak {peak} MiB"
    value = f"{mine:.3g}", f"{peer:.3g}", f"takes {mine / peer:.2f} of the peer's time"
    return ["table of a Parquet file", f"{n:,}", *value, "≤ 1.3 of it", note]


def interleaved(
    ours: Callable[[], object], peer: Callable[[], object], *, turns: int
) -> tuple[float, float]:
    """Return the median seconds of both, after a first run of each that is not counted."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(turns + 1):
        for place, work in enumerate((ours, peer)):
            if turn == 0 and place == 1:
                continue  # the peers are slow, and were run when equality was checked
            start = time.perf_counter()
            work()
            if turn:
                seconds[place].append(time.perf_counter() - start)
    return float(np.median(seconds[0])), float(np.median(seconds[1]))


def figures(ours: float, peer: float) -> tuple[str, str, str]:
    return f"{ours:.3g}", f"{peer:.3g}", f"{peer / ours:,.0f}×"


if __name__ == "__main__":
    main()
