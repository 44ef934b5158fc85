"""The audit against its peers: intervals, group tables, AUROC, a Parquet of 100 million rows.

Each comparison first checks that both sides say the same. Peers that take minutes run on fewer rows
or with few replicates, and their time is scaled, which is said. "From codes" are categorical
columns, labels of a byte and scores of four; "from strings" are columns of text.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from plumbline.audit.external.decisions import Columns, file_to_contingency
from plumbline.metrics.groups import confusions, discrimination
from plumbline.metrics.groups import rates as groups
from plumbline.metrics.groups.contingency import ContingencyTable, table_to_contingency
from plumbline.metrics.groups.replicates import replicate_confusions
from plumbline.metrics.intervals.shares import CELLS

import measure
from measure import Row, faster, take_turns, within

PARQUET_ROWS = 100_000_000
SUMS = (
    "Of six milliseconds of ours almost one puts scores into bins, almost two count 60,000 cells, "
    "one sums the scores in them (for calibration in the large, which the peer does not give), one "
    "reads the rows of six groups off these; the rest puts codes together. The peer sorts."
)
TEXT = (
    "Nearly half of our 0.6 ms goes into telling the texts of 10,000 rows apart, which both do, "
    "the rest into some hundred calls of NumPy on small arrays."
)
SHORT = 0.2  # seconds that a turn of milliseconds is repeated for
METRICS = ("selection_rate", "true_positive_rate", "false_positive_rate", "true_negative_rate",
           "accuracy")  # fmt: skip
OPTIONS = {"classes": ("0", "1"), "positive": "1"}
REPLICATES = 1000


def rows() -> Iterator[Row]:
    yield from intervals()
    yield from group_table()
    yield one_pass()
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


def coded(table: pd.DataFrame) -> pd.DataFrame:
    kinds = {"sex": "category", "race": "category", "y_true": "uint8", "y_pred": "uint8"}
    return table.astype(kinds | {"score": "float32"})


def peer_frame(table: pd.DataFrame, **options: object) -> object:
    from fairlearn import metrics as peer
    from sklearn.metrics import accuracy_score

    measures = {name: getattr(peer, name) for name in METRICS[:-1]} | {"accuracy": accuracy_score}
    return peer.MetricFrame(
        metrics=measures, y_true=table["y_true"], y_pred=table["y_pred"],
        sensitive_features=table[["race", "sex"]], **options,
    )  # fmt: skip


def count(table: pd.DataFrame) -> ContingencyTable:
    return table_to_contingency(table, attributes=("race", "sex"), **OPTIONS)


def our_table(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(our_columns(table))


def our_columns(table: pd.DataFrame) -> confusions.Columns:
    counts = confusions.count_columns(count(table), max_order=2)
    return groups.rate_columns(counts, confidence=0.95)


def replicate_rates(
    table: pd.DataFrame, *, replicates: int, seed: int
) -> tuple[list[str], dict[str, np.ndarray]]:
    labels, _, drawn = replicate_confusions(
        count(table), ("race", "sex"), replicates=replicates, seed=seed
    )
    rates = {}
    for name, parts in groups.RATES.items():
        hits, trials = (drawn @ [float(cell in part) for cell in CELLS] for part in parts)
        rates[name] = np.divide(hits, trials, out=np.full(hits.shape, np.nan), where=trials > 0)
    return labels, rates


def our_intervals(table: pd.DataFrame) -> dict[str, np.ndarray]:
    _, rates = replicate_rates(table, replicates=REPLICATES, seed=0)
    return {name: np.nanquantile(rates[name], [0.025, 0.975], axis=0) for name in METRICS}


def intervals() -> Iterator[Row]:
    """Peers are timed on at most 100,000 rows: their time is that of the rows (checked once)."""
    for n, replicates, goal in ((10_000, 10, 5_000), (100_000, 3, 50_000), (1_000_000, 3, 50_000)):
        table, part = people(n), people(min(n, 100_000))
        check_intervals(table)
        codes = coded(table)
        turns = take_turns(
            lambda t=table: our_intervals(t),
            lambda t=part, r=replicates: peer_frame(
                t, n_boot=r, ci_quantiles=[0.025, 0.975], random_state=0
            ),
            lambda t=codes: our_intervals(t),
            turns=3 if n < 1_000_000 else 1,
            at_least=SHORT,
        )
        fewer = f"{replicates} replicates" + (f" of {len(part):,} rows" if n > len(part) else "")
        yield faster(
            1, "1,000-replicate intervals", f"{n:,}", "fairlearn", turns, goal=goal,
            scale=REPLICATES / replicates * n / len(part),
            note=f"from strings; 10 groups, 5 metrics; peer: {fewer}, scaled",
        )  # fmt: skip
        seconds = turns.median(2)
        yield Row(
            1, "1,000-replicate intervals from codes", f"{n:,}", "20 ms",
            f"{1000 * seconds:.1f} ms", "≤ 20 ms", seconds <= 0.02, seconds,
        )  # fmt: skip


def check_intervals(table: pd.DataFrame) -> None:
    """Hold the deviation of our replicates to the binomial one, which the row bootstrap has."""
    labels, rates = replicate_rates(table, replicates=2000, seed=1)
    own = (table["race"] + "×" + table["sex"]).to_numpy()
    for column, label in enumerate(labels):
        decided = table["y_pred"].to_numpy()[own == label]
        expected = np.sqrt(decided.mean() * (1 - decided.mean()) / len(decided))
        assert abs(rates["selection_rate"][:, column].std() / expected - 1) < 0.1


def group_table() -> Iterator[Row]:
    for n in (10_000, 100_000, 1_000_000):
        table = people(n)
        codes, joined = coded(table), aequitas_table(table)
        ours = our_table(table).set_index(["group", "metric"])["value"]
        pd.testing.assert_series_equal(
            ours, our_table(codes).set_index(["group", "metric"])["value"]
        )
        theirs = {"aequitas": aequitas(joined)}
        if n <= 100_000:
            theirs |= {"fairlearn": peer_frame(table).by_group, "AIF360": aif360_table(table)}
        for peer, found in theirs.items():
            for metric in found:
                for group, value in found[metric].items():
                    name = group if isinstance(group, str) else "×".join(group)
                    assert abs(ours[name, metric] - value) < 1e-12, (peer, group, metric)
        strings = take_turns(
            lambda t=table: our_table(t), lambda t=joined: aequitas(t), turns=5, at_least=SHORT
        )
        yield faster(
            2, "group table", f"{n:,}", "Aequitas", strings, goal=1.5,
            note="from strings; ours with intervals, peer on an intersection joined beforehand",
        )  # fmt: skip
        if n <= 100_000:
            turns = take_turns(
                lambda t=table: our_table(t),
                lambda t=table: peer_frame(t).by_group,
                turns=3,
                at_least=SHORT,
            )
            note = "from strings; ours with intervals and 8 rates"
            yield faster(2, "group table", f"{n:,}", "fairlearn", turns, goal=100, note=note)
            turns = take_turns(
                lambda t=table: our_columns(t), lambda t=table: aif360_table(t), turns=5,
                at_least=SHORT,
            )  # fmt: skip
            yield faster(
                2, "group table", f"{n:,}", "AIF360", turns, goal=30, why=TEXT,
                note=f"{note}, as columns; the peer gives single numbers",
            )  # fmt: skip
    by_codes = take_turns(
        lambda: our_table(codes), lambda: aequitas(joined), turns=5, at_least=SHORT
    )
    yield faster(
        2, "group table from codes", f"{n:,}", "Aequitas", by_codes, goal=50,
        note="peer from strings: it refuses categories",
    )  # fmt: skip


def aequitas_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return what the peer takes: its own names, the intersection as one column of objects."""
    group = (table["race"] + "×" + table["sex"]).astype(object)
    return pd.DataFrame({"score": table["y_pred"], "label_value": table["y_true"], "own": group})


def aequitas(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    from aequitas.group import Group

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, _ = Group().get_crosstabs(table, attr_cols=["own"])
    names = {
        "true_positive_rate": "tpr",
        "false_positive_rate": "fpr",
        "true_negative_rate": "tnr",
        "accuracy": "accuracy",
    }
    rows = found.set_index("attribute_value")
    return {ours: rows[theirs].to_dict() for ours, theirs in names.items()}


def aif360_table(table: pd.DataFrame) -> dict[str, dict[tuple[str, str], float]]:
    """Return the rates of the ten groups: two groups are compared at a time."""
    logging.disable(logging.WARNING)  # tells of packages that it could also use
    from aif360.datasets import BinaryLabelDataset
    from aif360.metrics import ClassificationMetric

    races, sexes = sorted(table["race"].unique()), sorted(table["sex"].unique())
    numbers = pd.DataFrame(
        {
            "y": table["y_true"].astype(float),
            "race": pd.factorize(table["race"], sort=True)[0].astype(float),
            "sex": pd.factorize(table["sex"], sort=True)[0].astype(float),
        }
    )
    truth = BinaryLabelDataset(
        df=numbers, label_names=["y"], protected_attribute_names=["race", "sex"],
        favorable_label=1, unfavorable_label=0,
    )  # fmt: skip
    decided = truth.copy()
    decided.labels = table["y_pred"].to_numpy(np.float64)[:, None]
    found: dict[str, dict[tuple[str, str], float]] = {metric: {} for metric in METRICS}
    for i, race in enumerate(races):
        sides = [[{"race": i, "sex": j}] for j in range(len(sexes))]
        measured = ClassificationMetric(
            truth, decided, unprivileged_groups=sides[0], privileged_groups=sides[1]
        )
        for metric in METRICS:
            for privileged, sex in zip((False, True), sexes, strict=True):
                found[metric][race, sex] = getattr(measured, metric)(privileged)
    return found


def one_pass() -> Row:
    """Hold the table from codes against reading its columns once."""
    table = coded(people(1_000_000))
    columns = [table[side].cat.codes.to_numpy().view(np.uint8) for side in ("race", "sex")] + [
        table[side].to_numpy() for side in ("y_true", "y_pred")
    ]
    turns = take_turns(
        lambda: our_columns(table),
        lambda: [column.sum() for column in columns],
        turns=15,
        at_least=SHORT / 4,
    )
    return within(
        2, "group table from codes", "1,000,000", "NumPy's sum of the same bytes", turns, goal=2,
        note="ours with intervals, as columns; one thread",
    )  # fmt: skip


def auroc() -> Row:
    from plumbline.compat import torchvision

    torchvision.install()
    import torch
    from torchmetrics.functional.classification import binary_auroc

    torch.set_num_threads(1)
    table = coded(people(1_000_000))
    y, score = torch.tensor(table["y_true"]).long(), torch.tensor(table["score"])
    masks = [torch.tensor((table["race"] == race).to_numpy()) for race in "ABCDE"]

    def ours() -> pd.DataFrame:
        counted = table_to_contingency(table, attributes=("race",), score=table["score"], **OPTIONS)
        return discrimination.score_rates(counted, max_order=1, confidence=0.95)

    def peer() -> list[float]:
        return [float(binary_auroc(score[mask], y[mask])) for mask in masks]

    rows = ours()
    rows = rows[(rows["attribute"] == "race") & (rows["metric"] == "auroc")]
    assert np.abs(rows["value"].to_numpy() - peer()).max() < 1e-4
    turns = take_turns(ours, peer, at_least=SHORT)
    return faster(
        3, "AUROC of 5 groups", "1,000,000", "torchmetrics", turns, goal=30, why=SUMS,
        note="from codes, one thread each; ours with DeLong's standard error and calibration in "
        "the large",
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

        def ours() -> ContingencyTable:
            return file_to_contingency(path, columns)

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
            "import sys; from plumbline.cli.main import main; main(sys.argv[1:]); "
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
