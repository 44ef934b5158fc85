"""The registry of a real ``mlflow server``, whose artifacts go over HTTP."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pandas as pd
import pytest

from plumbline.cli.main import main
from plumbline.tracking import models, store
from plumbline.tracking.registry.register import register
from plumbline.tracking.registry.registry import CHAMPION, Registry
from plumbline.verify import lineage
from plumbline.verify.versions import champions
from tests.registered import Tree, predictions
from tests.serving import folders

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def server(home, tmp_path, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with (tmp_path / "server.log").open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--backend-store-uri",
             f"sqlite:///{tmp_path}/server.db", "--artifacts-destination",
             str(tmp_path / "served"), "--port", str(port), "--workers", "1"],
            cwd=tmp_path, stdout=sink, stderr=sink, start_new_session=True,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        )  # fmt: skip
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                break
        except OSError:
            assert process.poll() is None, (tmp_path / "server.log").read_text()
            time.sleep(0.2)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    yield address
    os.killpg(process.pid, 15)
    process.wait(30)


def test_register_promote_predict_and_roll_back_over_http(server, home, tmp_path, capsys):
    tree = Tree(home)
    for accuracy in (0.9, 0.97):
        tree.run(predictions(accuracy))
        assert register(tree.folder, "fnn").is_new
        assert register(tree.folder, "fnn").is_new is False
        assert champions.promote(tree.folder, "fnn").decision.is_promoted
    registry = Registry(store.connect(home))
    assert registry.champion("fnn") == 2
    client = registry.store.client
    version = client.get_model_version_by_alias("fnn", CHAMPION)
    assert version.source.startswith("mlflow-artifacts:")
    logged = client.get_logged_model(version.tags["plumbline.logged_model"])
    assert len(json.loads(logged.tags["mlflow.modelVersions"])) == 1
    breaks = [(one.where, one.what, one.note) for one in lineage.examine(tree.folder).breaks]
    assert [each for each in breaks if "version" in each[0] or "model run" in each[0]] == []
    rows, out = tmp_path / "rows.csv", tmp_path / "found.parquet"
    folders.raw_rows(tree.data).to_csv(rows, index=False)
    words = ["predict", "models:/fnn@champion", str(rows), "--out", str(out)]
    assert main([*words, "--root", str(home)]) == 0
    assert len(pd.read_parquet(out)) == 20
    assert card(home) == "# Card 2\n"
    assert champions.roll_back(tree.folder, "fnn") == (2, 1)
    assert card(home) == "# Card 1\n"


def card(home) -> str:
    folder = models.download(home, "models:/fnn@champion", where="predict")
    return (folder / "evidence/card.md").read_text()
