"""The hub's protocol, spoken by a small server on this machine: nothing is downloaded."""

from __future__ import annotations

import hashlib
import http.server
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from plumbline import artifacts, models
from plumbline.models import backbones
from plumbline.training.recipes.fitted import portable_weights
from tests.prepared_folders import FINETUNE_OFF, PLAIN, write_image_folder
from tests.training.conftest import OPTIMISATION, TRAINER

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FIT = """
import json, sys
from pathlib import Path
import plumbline.training
from plumbline.params.models import FinetuneParams, TrainerParams
from plumbline.runs.fit_context import FitContext
from plumbline.training.recipes.transfer import finetune

given = json.loads(sys.argv[1])
context = FitContext(stage="train_toy", work=Path("work/fit"), seed=7,
                     trainer=TrainerParams(**given["trainer"]))
for backbone in given["backbones"]:
    parameters = FinetuneParams(**given["parameters"], backbone=backbone)
    try:
        fitted = finetune(parameters, strategy="partial", data=Path(given["data"]), context=context)
    except Exception as error:
        print(type(error).__name__, error)
    else:
        fitted.save(Path("tuned"))
        print("fitted", json.dumps(fitted.config.facts["pretrained"]))
"""


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers ``HEAD`` and ``GET`` of ``/<owner>/<name>/resolve/<revision>/<file>``."""

    files: dict[str, bytes]

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.wfile.write(self.answer())

    def answer(self) -> bytes:
        body = self.files.get(self.path)
        self.send_response(404 if body is None else 200)
        if body is None:
            known = self.path.startswith("/someone/")
            error = "EntryNotFound" if known else "RepoNotFound"
            self.send_header("X-Error-Code", error)
        body = body or b""
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return body

    def log_message(self, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def hub(tmp_path):
    torch.manual_seed(0)
    network = models.build(
        "timm", architecture="test_resnet", outputs=5, image_size=32, channels=1, mean=[0.25],
        scale=[0.5],
    )  # fmt: skip
    folder = tmp_path / "published"
    artifacts.write_weights(folder / "model.safetensors", portable_weights(network.network))
    config = backbones.hub_config(network, classes=[*"abcde"])
    config["pretrained_cfg"]["license"] = "mit"
    artifacts.write_json(folder / "config.json", config)
    weights = (folder / "model.safetensors").read_bytes()
    pages = {"model": ("config.json", "model.safetensors"), "empty": ("config.json",)}
    files = {
        f"/someone/{name}/resolve/main/{file}": (folder / file).read_bytes()
        for name, held in pages.items()
        for file in held
    }
    handler = type("Handler", (Hub,), {"files": files})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", hashlib.sha256(weights).hexdigest()
        server.shutdown()
        thread.join()


def test_fine_tuning_starts_from_the_hub_and_refuses_what_it_must(hub, tmp_path):
    address, digest = hub
    given = {
        "trainer": TRAINER,
        "data": str(write_image_folder(tmp_path / "images", size=32, count=60)),
        "backbones": [
            f"hf-hub:someone/model?sha256={digest}",
            f"hf-hub:someone/model?sha256={'0' * 64}",
            "hf-hub:someone/empty",
            "hf-hub:nobody/model",
        ],
        "parameters": {
            **FINETUNE_OFF, "image_size": 32, "memory_format": "contiguous", "head_dropout": 0.0,
            "classification": PLAIN, "probe_views": 1, "backbone_lr_scale": 1.0,
            "augmentation": {"shift": 0, "rotate": 0, "scale": 0.0, "mirror": False},
            "optimisation": {**OPTIMISATION, "max_epochs": 1},
        },
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", FIT, artifacts.dump_json(given)],
        capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
        env={**environment(), "HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "cache")},
    )  # fmt: skip
    fitted, wrong, empty, nobody = done.stdout.splitlines()
    assert fitted.startswith("fitted")
    expected = {"licence": "mit", "sha256": digest, "architecture": "test_resnet",
                "origin": f"hub, someone/model, commit {COMMIT}",
                "source": "hf-hub:someone/model"}  # fmt: skip
    assert artifacts.read_json(tmp_path / "tuned/config.json")["facts"]["pretrained"] == expected
    assert wrong == (
        "ArtifactError finetune.backbone: weights of hf-hub:someone/model must have the sha256 "
        f"{'0' * 64}, got {digest}; get the file again, or state its own digest if you trust it"
    )
    for line, file, name, error in (
        (empty, "model.safetensors", "someone/empty", "RemoteEntryNotFoundError"),
        (nobody, "config.json", "nobody/model", "RepositoryNotFoundError"),
    ):
        assert line == (
            f"ArtifactError finetune.backbone: {file} must be on the hub in {name}, got {error}; "
            "correct the name, or put a copy of the folder on this machine and name it with "
            "local-dir:"
        )


def environment() -> dict[str, str]:
    """The environment of a process that imports these sources and asks no other server."""
    kept = {k: v for k, v in os.environ.items() if not re.match("HF_|.*_PROXY$", k, re.IGNORECASE)}
    source = Path(backbones.__file__).parents[2]
    return {**kept, "PYTHONPATH": str(source), "NO_PROXY": "127.0.0.1"}
