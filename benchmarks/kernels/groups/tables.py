"""pandas, Arrow and DuckDB: sums, quantiles, texts of numbers, files."""

from __future__ import annotations

import io

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from . import Quantities

ROWS = 4999
SQL = {
    "sum": "sum(x), sum(y), fsum(x)",
    "moments": "avg(x), stddev_samp(x), var_pop(y), corr(x, y), skewness(x), kurtosis(x)",
    "quantiles": "median(x), quantile_cont(x, 0.9), approx_quantile(x, 0.5)",
    "functions": (
        "sum(exp(x)), sum(ln(abs(y) + 1)), sum(pow(abs(x), y)), sum(sin(x)), sum(sqrt(abs(x)))"
    ),
    "float": "sum(x::FLOAT), avg(y::FLOAT)",
}


def quantities() -> Quantities:
    random = np.random.default_rng(11)
    frame = pd.DataFrame(
        {
            "key": random.integers(0, 7, ROWS),
            "name": [f"group {code}" for code in random.integers(0, 5, ROWS)],
            "x": random.standard_normal(ROWS),
            "y": random.lognormal(size=ROWS),
            "hole": np.where(random.random(ROWS) < 0.1, np.nan, random.random(ROWS)),
        }
    )
    yield from of_pandas(frame)
    yield from of_arrow(pa.Table.from_pandas(frame))
    yield from of_duckdb(pa.Table.from_pandas(frame))


def of_pandas(frame: pd.DataFrame) -> Quantities:
    numbers = frame[["x", "y", "hole"]]
    for name in ("sum", "mean", "std", "var", "median", "skew", "sem"):
        yield f"pandas.{name}", getattr(numbers, name)().to_numpy()
        yield (
            f"pandas.groupby.{name}",
            (getattr(frame.groupby("name")[["x", "y", "hole"]], name)().to_numpy()),
        )
    yield "pandas.quantile", numbers.quantile([0.1, 0.5, 0.9]).to_numpy()
    yield "pandas.corr", numbers.corr().to_numpy()
    yield "pandas.rolling", numbers.rolling(17).mean().to_numpy()
    yield "pandas.sort_values", frame.sort_values("key").index.to_numpy()
    yield "pandas.nlargest", frame.nlargest(50, "key").index.to_numpy()
    yield "pandas.cut", pd.cut(frame["x"], 9).cat.codes.to_numpy()
    yield "pandas.hash", pd.util.hash_pandas_object(frame).to_numpy()
    text = frame.to_csv(index=False)
    yield "pandas.to_csv", text
    yield "pandas.read_csv", pd.read_csv(io.StringIO(text))["y"].to_numpy()
    yield "pandas.eval", frame.eval("x * y + hole").to_numpy()


def of_arrow(table: pa.Table) -> Quantities:
    x, y = table["x"], table["y"]
    for name in ("sum", "mean", "stddev", "variance", "quantile", "tdigest", "min_max"):
        yield f"arrow.{name}", str(getattr(pc, name)(x))
    for name in ("exp", "sin", "abs", "round"):
        yield f"arrow.{name}", getattr(pc, name)(x).to_numpy()
    yield "arrow.ln", pc.ln(y).to_numpy()
    yield "arrow.divide", pc.divide(x, y).to_numpy()
    yield "arrow.sort_indices", pc.sort_indices(table["key"]).to_numpy()
    sums = [("x", "sum"), ("y", "mean"), ("x", "stddev")]
    yield "arrow.group_by", str(table.group_by("key", use_threads=False).aggregate(sums))
    yield "arrow.float text", "\n".join(pc.cast(y, pa.string()).to_pylist())
    written = io.BytesIO()
    pyarrow.csv.write_csv(table, written)
    yield "arrow.write_csv", written.getvalue()
    read = pyarrow.csv.read_csv(io.BytesIO(written.getvalue()))
    yield "arrow.read_csv", read["y"].to_numpy()
    parquet = io.BytesIO()
    pyarrow.parquet.write_table(table, parquet)
    yield "arrow.parquet", parquet.getvalue()


def of_duckdb(rows: pa.Table) -> Quantities:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("rows", rows)
        for name, columns in SQL.items():
            found = connection.sql(f"select {columns} from rows").fetchall()
            yield f"duckdb.{name}", repr(found)
            grouped = connection.sql(f"select key, {columns} from rows group by key order by key")
            yield f"duckdb.{name} by group", repr(grouped.fetchall())
        yield "duckdb.float text", repr(connection.sql("select y::varchar from rows").fetchall())
        window = "select sum(x) over (order by y rows 9 preceding) from rows order by y"
        yield "duckdb.window", repr(connection.sql(window).fetchall())
        yield "duckdb.hash", repr(connection.sql("select hash(x), md5(name) from rows").fetchall())
