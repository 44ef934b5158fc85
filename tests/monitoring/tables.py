"""A prepared table with every type of column, and raw rows of its law or of a shifted one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from plumbline import artifacts, names
from plumbline.artifacts import ENCODED_COLUMNS, DatasetSchema
from plumbline.data.tables.csv_files import CATEGORY, DATE, NUMBER
from plumbline.data.tables.encoders import describe, fit_encoder
from plumbline.data.tables.encoding import encoding_of
from plumbline.params.data import TableEncoding
from plumbline.table_files import Dialect

KINDS = {"age": NUMBER, "visits": NUMBER, "city": CATEGORY, "entered": DATE}
RULES = TableEncoding(
    missing_numbers="median", missing_categories="own", missing_target="refuse", max_categories=10,
    number_thresholds=2, min_group_rows=1,
)  # fmt: skip


def raw(count: int, *, seed: int, shift: float = 0.0, missing: float = 0.1) -> pd.DataFrame:
    """Draw raw rows; ``shift`` moves the age by so many standard deviations."""
    rng = np.random.default_rng(seed)
    age = rng.normal(50 + 10 * shift, 10, size=count)
    age[rng.random(count) < missing] = np.nan
    days = rng.integers(0, 1000, size=count)
    sex = np.where(rng.random(count) < 0.4, "f", "m")
    return pd.DataFrame(
        {
            "age": age,
            "visits": rng.poisson(2, size=count).astype(float),
            "city": rng.choice(["Bern", "Graz", "Lyon"], p=[0.5, 0.3, 0.2], size=count),
            "entered": np.datetime64("2020-01-01") + days.astype("timedelta64[D]"),
            "sex": sex,
            "label": np.where(rng.random(count) < 0.3, "yes", "no"),
        }
    )


def prepare(folder: Path, rows: pd.DataFrame, *, rules: TableEncoding = RULES) -> Path:
    """Prepare raw rows, four of five as training rows, as a declared table is."""
    split = np.array([names.TRAIN, names.TRAIN, names.TRAIN, names.TRAIN, names.TEST] * len(rows))
    split = split[: len(rows)]
    split[1] = names.VAL
    train = split == names.TRAIN
    columns = {
        name: pa.array(rows[name], pa.timestamp("us") if kind == DATE else None, from_pandas=True)
        for name, kind in KINDS.items()
    }
    encoders = [
        fit_encoder(
            column.filter(pa.array(train)), held_out=column.filter(pa.array(~train)), column=name,
            kind=KINDS[name], rules=rules, where="test",
        )
        for name, column in columns.items()
    ]  # fmt: skip
    features = {
        feature: values
        for encoder in encoders
        for feature, values in zip(
            encoder.features, encoder.transform(columns[encoder.column]), strict=True
        )
    }
    table = pd.DataFrame(
        {
            "sample_id": [f"row-{i}" for i in range(len(rows))],
            "split": split,
            "y": (rows["label"] == "yes").astype("int64"),
            **features,
            "sex": rows["sex"].to_numpy(),
        }
    )
    artifacts.write_table(folder / "table.parquet", table)
    schema = DatasetSchema(
        dataset="tabular", source="made_up", task="binary", classes=("no", "yes"),
        attributes=("sex",), features=tuple(features),
        about={ENCODED_COLUMNS: describe(encoders)},
    )  # fmt: skip
    artifacts.write_json(folder / "schema.json", schema)
    artifacts.write_encoding(folder, encoding_of(encoders, rules=rules, dialect=Dialect()))
    return folder


def arrow(rows: pd.DataFrame) -> dict[str, pa.Array]:
    """Return raw rows as a block of a file gives them."""
    return {name: pa.Array.from_pandas(rows[name]) for name in rows}
