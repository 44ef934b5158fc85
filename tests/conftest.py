"""What every test runs under: one thread, portable kernels, no telemetry, no background sync."""

import os
import shutil
import signal
from pathlib import Path

# What the surroundings of the tests may have left: a notebook, a cluster, a hook of git, make.
FOREIGN = (
    "MLFLOW_", "PLUMBLINE_", "DVC_", "RANK", "LOCAL_RANK", "NODE_RANK", "WORLD_SIZE",
    "SLURM_PROCID", "GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "MAKEFLAGS", "MAKEOVERRIDES",
)  # fmt: skip
for variable in list(os.environ):
    if variable.startswith(FOREIGN):
        del os.environ[variable]
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["PLUMBLINE_TRACKING"] = "off"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ["DVC_NO_ANALYTICS"] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")

from plumbline.compat import kernels  # noqa: E402

for variable in kernels.VARIABLES:  # a user's, or those of the process that started this worker
    os.environ.pop(variable, None)
kernels.pin("portable")  # expected values hold to the last bit on every processor that has them

import pytest  # noqa: E402 — after threads and kernels are chosen

from tests.clone import Clone  # noqa: E402

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# A shell lets what it runs in the background ignore Ctrl-C, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(autouse=True)
def _environment_as_before():
    """Undo what a test leaves in the environment, as MLflow does with its store's address."""
    before = dict(os.environ)
    yield
    for name in {*os.environ, *before} - {"PYTEST_CURRENT_TEST"}:
        if name not in before:
            del os.environ[name]
        elif os.environ.get(name) != before[name]:
            os.environ[name] = before[name]


@pytest.fixture(autouse=True)
def _signals_as_before():
    """Undo what a stage's code does to signals: children inherit one that is ignored."""
    before = {number: signal.getsignal(number) for number in STOPS}
    yield
    for number, handler in before.items():
        if handler is not None and signal.getsignal(number) != handler:
            signal.signal(number, handler)


@pytest.fixture(scope="session")
def clone(root, tmp_path_factory):
    """A clone in which the whole pipeline has run once, on reduced parameters, with MLflow filled.

    Every stage has: what git holds of reports may come from another kind of machine.
    """
    made = Clone(root, tmp_path_factory.mktemp("clone") / "plumbline")
    (made.folder / "dvc.lock").unlink()
    made.first = made.run("make repro")
    yield made
    shutil.rmtree(made.folder, ignore_errors=True)
