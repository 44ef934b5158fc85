"""A table larger than the memory that preparing it may take."""

import subprocess
import sys

import pytest

ROWS = 5_000_000
LIMIT = 2 << 30  # bytes of resident memory

SCRIPT = """
import resource, sys
from pathlib import Path
from tests.data.table_files import parameters
from plumbline.data.tables.prepare import prepare

folder = Path(sys.argv[1])
settings = parameters(
    attributes={"group": ()}, types={"code": "categorical"}, weight="w",
    encoding={"min_group_rows": 20},
)
table = prepare(settings, root=folder, seed=1)
table.write(folder / "out")
print(int(sum(table.counts()[f"{s}/rows"] for s in ("train", "val", "test"))))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def write_rows(path, rows):
    """Ten columns, a block of a million rows at a time: 300 MB of text for 5 million."""
    import numpy as np
    import pandas as pd

    block = min(rows, 1_000_000)
    for start in range(0, rows, block):
        rng = np.random.default_rng(start)
        table = pd.DataFrame({f"x{k}": rng.normal(size=block).round(4) for k in range(5)})
        table["code"] = rng.integers(0, 20, block)
        table["city"] = rng.choice(["Bonn", "Ulm", "Köln", ""], block)
        table["day"] = np.datetime64("2020-01-01") + rng.integers(0, 900, block)
        table["group"] = rng.choice(["a", "b", "c"], block)
        table["w"] = rng.random(block).round(3)
        table["y"] = rng.integers(0, 2, block)
        table.to_csv(path, mode="w" if start == 0 else "a", header=start == 0, index=False)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_five_million_rows_are_prepared_in_less_than_two_gibibytes(root, tmp_path):
    write_rows(tmp_path / "mine.csv", ROWS)
    # A process begins with the peak of the one that it was forked from: here of a shell.
    command = '"$0" -c "$1" "$2"; exit $?'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, SCRIPT, str(tmp_path)],
        cwd=root, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows, peak = (int(line) for line in done.stdout.split())
    assert rows == ROWS
    assert peak < LIMIT

    import pyarrow.parquet as pq

    with pq.ParquetFile(tmp_path / "out/table.parquet") as file:
        assert file.metadata.num_rows == ROWS
        assert file.metadata.num_row_groups > 10  # it can be read in parts, too
