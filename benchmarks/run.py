"""Run every comparison of this folder and write ``RESULTS.md``: ``make bench``.

Each script runs in a process of its own, one after the other, and both sides of a comparison on one
thread unless it says otherwise. A script that fails keeps the rows it had, is named under the
table, and makes this one exit with 1.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from plumbline.artifacts import write_text

import measure

HERE = Path(__file__).parent
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
PACKAGES = (
    "torch", "numpy", "scipy", "pandas", "scikit-learn", "pytorch-lightning", "torchmetrics",
    "torchvision", "timm", "fairlearn", "aif360", "aequitas", "torch-fidelity", "pytorch-fid",
    "clean-fid", "prdc", "captum", "onnxruntime", "duckdb", "dvc", "mlflow",
)  # fmt: skip

# What was deleted in favour of less code, and the rows that went with it.
DELETED = (
    "Rows that are gone were of mechanisms that are gone: several updates in one pass of "
    "Lightning's loop (row 10), the embedding folded into the cells of an RNN (row 13), the search "
    "for a memory layout (row 15), validation metrics of our own in training (row 16; they are "
    "torchmetrics now), the Inception score from logits, and moments of features. The Fréchet "
    "distance lost its way for variances over many orders (row 5), counting from codes its special "
    "cases (rows 1 to 3)."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("scripts", nargs="*", help="only these; RESULTS.md is not written")
    chosen = parser.parse_args().scripts
    rows: list[measure.Row] = []
    failed: list[str] = []
    started = time.monotonic()
    for name in chosen or scripts():
        found, good = run(name)
        rows += found
        failed += [] if good else [name]
    text = document(rows, failed, minutes=(time.monotonic() - started) / 60)
    if not chosen:
        write_text(HERE / "RESULTS.md", text)
    print(text)
    sys.exit(bool(failed))


def scripts() -> list[str]:
    """Name the scripts of this folder that measure speed: those that end with ``measure.main``."""
    return sorted(p.stem for p in HERE.glob("*.py") if "\n    measure.main(rows" in p.read_text())


def run(name: str) -> tuple[list[measure.Row], bool]:
    print(f"benchmarks/{name}.py", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        done = subprocess.run(
            [sys.executable, str(HERE / f"{name}.py"), "--json", str(file)],
            stdout=subprocess.DEVNULL,
            env=os.environ | dict.fromkeys(THREADS, "1"),
        )
        found = json.loads(file.read_text()) if file.exists() else []
    return [measure.Row(**row) for row in found], done.returncode == 0


def document(rows: list[measure.Row], failed: list[str], *, minutes: float) -> str:
    goals = [row.reached for row in rows if row.reached is not None]
    text = (
        "# Speed against the peers\n\nWritten by `make bench`. Ours and the peer took turns in one "
        "run, after it was checked that both say the same; ratios are medians over the turns, with "
        "the least and the greatest. Ratios are meant to be carried over, seconds are this "
        f"machine's.\n\n{machine()}\n\n{sum(goals)} of {len(goals)} goals reached; "
        f"{minutes:.0f} min.\n\n{DELETED}\n\n" + measure.table(rows)
    )
    if failed:
        text += f"\nFailed: {', '.join(failed)}; the rows above are those made before.\n"
    return text


def machine() -> str:
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{package} missing")
    day = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return (
        f"{day}, {os.cpu_count()} × {processor()}, Python {platform.python_version()}, "
        + ", ".join(versions) + "."
    )  # fmt: skip


def processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


if __name__ == "__main__":
    main()
