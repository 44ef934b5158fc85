"""A prepared table in which one group's labels are noisier and rarer: 3,000 rows, made by rule."""

import numpy as np
import pandas as pd
import pytest

from plumbline import artifacts, names
from plumbline.mitigation.problem import read_problem


def write_prepared(folder, *, n=3000, task="binary", attributes=("sex",), seed=0, keep=None):
    """Write a table whose groups differ in base rate and in how well x tells the label."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 2, n)
    y = (rng.random(n) < np.where(group == 1, 0.6, 0.35)).astype(int)
    x = y * np.where(group == 1, 2.0, 1.0) + group * 0.5 + rng.normal(size=n)
    table = pd.DataFrame(
        {
            "sample_id": [f"row-{i}" for i in range(n)],
            "split": rng.choice(names.SPLITS, p=[0.5, 0.25, 0.25], size=n),
            "y": y,
            "x": x,
            "g": group + rng.normal(size=n),
            "constant": 1.0,
            "sex": np.where(group == 1, "M", "F"),
            "kind": np.where(np.arange(n) % 3 == 0, "a", "b"),
        }
    )
    if keep is not None:
        table = table[keep(table)]
    schema = artifacts.DatasetSchema(
        dataset="tabular", source="made", task=task, classes=("no", "yes"),
        attributes=tuple(attributes), features=("x", "g", "constant"),
    )  # fmt: skip
    artifacts.write_json(folder / "schema.json", schema)
    artifacts.write_table(folder / "table.parquet", table)
    return folder


@pytest.fixture(scope="session")
def problem(tmp_path_factory):
    return read_problem(write_prepared(tmp_path_factory.mktemp("made")), attribute="sex")
