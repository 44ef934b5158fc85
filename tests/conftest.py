"""What every test runs under: one thread, no telemetry, no mirror process."""

import os
import shutil
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["PLUMBLINE_TRACKING"] = "off"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ["DVC_NO_ANALYTICS"] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest  # noqa: E402 — after the thread counts are set

from tests.clone import Clone  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def clone(root, tmp_path_factory):
    """A clone in which the whole pipeline has run once, on reduced parameters, with its mirror."""
    made = Clone(root, tmp_path_factory.mktemp("clone") / "plumbline")
    made.first = made.run("make repro")
    yield made
    shutil.rmtree(made.folder, ignore_errors=True)
