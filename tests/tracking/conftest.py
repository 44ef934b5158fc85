"""Stores are copies of one that is made once: a new database takes seconds, a copy none."""

import functools
import shutil
from pathlib import Path

import pytest

from plumbline.runs import processes, records
from plumbline.tracking import store
from tests.toy import Toy


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        store.client(store.address(home)).search_experiments()
    return home / "mlflow.db"


@pytest.fixture
def home(tmp_path, template, monkeypatch) -> Path:
    """A work tree with an empty store and no parent dvc process."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    for suffix in ("", "-wal", "-shm"):
        part = template.with_name(template.name + suffix)
        if part.exists():
            shutil.copy(part, folder / part.name)
    return folder


@pytest.fixture
def gone() -> dict:
    """A ``dvc`` process that has ended."""
    return {**processes.pipeline_of(2**22), "started": 1.0}


@pytest.fixture
def record(home, gone):
    """Make a run record through the real class; the pipeline has ended unless told otherwise."""

    def make(
        stage: str = "train_fnn", *, pipeline: dict | None = None, **fields
    ) -> records.RunRecord:
        header = {"pipeline": pipeline or gone, "params": {"seed": 1}, "cmd": "python x.py"}
        return records.open_record(home, stage, **{**header, **fields})

    return make


@pytest.fixture
def toy(tmp_path, home) -> Toy:
    """A repository with real stages in the work tree of the empty store."""
    return Toy(home)


class View:
    """What a store holds, as its client tells."""

    def __init__(self, home: Path) -> None:
        self.store = store.connect(home)
        self.client = self.store.client

    def runs(self, name: str | None = None) -> list:
        found = self.client.search_runs([self.store.experiment], order_by=["start_time ASC"])
        return [run for run in found if name in (None, run.info.run_name)]

    def model_runs(self, model: str | None = None) -> list:
        found = self.client.search_runs([self.store.models], order_by=["start_time ASC"])
        return [run for run in found if model in (None, run.data.tags["model"])]

    def one(self, name: str):
        (run,) = self.runs(name)
        return run

    def origins(self) -> dict[str, list[str]]:
        """Where each stage's runs come from, oldest first."""
        found: dict[str, list[str]] = {}
        for run in self.runs():
            if "dvc.origin" in run.data.tags:
                found.setdefault(run.info.run_name, []).append(run.data.tags["dvc.origin"])
        return found

    def history(self, run, name: str) -> list[tuple[int, float, int]]:
        rows = self.client.get_metric_history(run.info.run_id, name)
        return [(row.step, row.value, row.timestamp) for row in rows]

    def artifacts(self, run, path: str | None = None) -> set[str]:
        found = set()
        for item in self.client.list_artifacts(run.info.run_id, path):
            found |= self.artifacts(run, item.path) if item.is_dir else {item.path}
        return found

    def everything(self) -> list:
        """All that must be equal in a store made again, by start and name.

        A pipeline begins in the millisecond of its first stage, and a store may give the two in
        either order.
        """
        every = [*self.runs(), *self.model_runs()]
        names = {run.info.run_id: run.info.run_name for run in every}

        def tags(run) -> dict:
            return {
                key: functools.reduce(
                    lambda text, run_id: text.replace(run_id, names[run_id]), names, value
                )
                for key, value in run.data.tags.items()
                if key != "mlflow.user"
            }

        return [
            (
                run.info.run_name, run.info.status, run.info.start_time, run.info.end_time,
                tags(run), run.data.params, run.data.metrics, sorted(self.artifacts(run)),
                [(d.dataset.name, d.dataset.digest) for d in run.inputs.dataset_inputs],
                {name: self.history(run, name) for name in run.data.metrics},
                len(run.outputs.model_outputs) if run.outputs else 0,
            )
            for run in sorted(every, key=lambda r: (r.info.start_time, r.info.run_name))
        ]  # fmt: skip


@pytest.fixture
def view(home):
    return lambda: View(home)
