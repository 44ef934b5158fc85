"""A stage that is stopped in the middle of a fit: the true exit code, and nothing written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.prepared_folders import write_table_folder

# The stage script itself, with a fit that would last for hours and says when it is under way.
SCRIPT = """
import sys
from pathlib import Path
from plumbline import stage

def main(run):
    from plumbline.training.engine import loaders
    from plumbline.training.recipes.tables import fit_fnn
    batches = loaders.MemoryBatches.__iter__
    def announcing(self):
        if self.epoch == 3:
            Path("under_way").touch()
        return batches(self)
    loaders.MemoryBatches.__iter__ = announcing
    settings = run.params.train_fnn.optimisation.model_copy(
        update={"max_epochs": 1_000_000, "patience": 1_000_000}
    )
    parameters = run.params.train_fnn.model_copy(update={"optimisation": settings})
    fitted = fit_fnn(parameters, data=Path("data/prepared/tabular"), context=run.fit)
    fitted.save(run.out(Path("data/models/fnn")))

stage.execute(main)
"""


@pytest.fixture
def repository(tmp_path, root):
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(root / name, tmp_path / name)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "train.py").write_text(SCRIPT)
    (tmp_path / "requirements.lock").touch()
    (tmp_path / "src").symlink_to(root / "src")
    write_table_folder(tmp_path / "data" / "prepared" / "tabular")
    return tmp_path


def wait_for(path: Path, process: subprocess.Popen[str], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, f"{path.name} did not appear"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)],
)
def test_a_signal_in_the_middle_of_a_fit_ends_the_stage_with_its_code_and_no_output(
    repository, number, code
):
    process = subprocess.Popen(
        [sys.executable, "pipelines/train.py", "fnn"],
        cwd=repository,
        env={**os.environ, "DVC_STAGE": "train@fnn", "PLUMBLINE_TRACKING": "off"},
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts jobs in the background has them ignore Ctrl-C; a terminal has not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_for(repository / "under_way", process, seconds=240)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "stopped: " in errors
    assert "Traceback" not in errors
    assert not (repository / "data" / "models").exists()
    assert list(repository.glob(".plumbline/work/train@fnn/outs-*")) == []
    (record,) = repository.glob(".plumbline/runs/*/run.json")
    assert json.loads(record.read_text())["status"] == "KILLED"
