"""A small repository with a real ``dvc.yaml`` whose stages run inside `plumbline.stage.context`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from plumbline.runs import dvc_files
from tests.clone import own_settings

ROOT = Path(__file__).resolve().parents[1]

DVC_YAML = """
stages:
  train_fnn:
    cmd: python pipelines/train.py fnn
    deps: [pipelines/train.py, code]
    params: [seed, train_fnn]
    outs: [data/models/fnn]
    plots: [{reports/history/fnn.csv: {cache: false}}]
  evaluate:
    foreach: [fnn]
    do:
      cmd: python pipelines/evaluate.py ${item}
      deps: [pipelines/evaluate.py, "data/models/${item}"]
      params: [seed, evaluate]
      outs: ["data/predictions/${item}.parquet"]
      metrics: [{"reports/metrics/${item}.json": {cache: false}}]
"""

# A laboratory: a pipeline of its own below the default one.
LAB_YAML = """
stages:
  mitigate:
    foreach: [none, drop]
    do:
      wdir: ../..
      cmd: python pipelines/mitigate.py ${item}
      deps: [pipelines/mitigate.py, data/models/fnn]
      params: [seed, {studies/toy/params.yaml: [mitigate]}]
      outs: ["reports/mitigation/${item}.json": {cache: false}]
"""

MITIGATE = """
from pathlib import Path

from plumbline import artifacts, stage
from plumbline.params.blocks import Block
from plumbline.params.studies import STUDIES


class Mitigate(Block):
    strength: float


class Study(Block):
    mitigate: Mitigate


def main(run):
    found = {"seed": run.seed, "strength": run.study.mitigate.strength}
    artifacts.write_json(run.out(Path(f"reports/mitigation/{run.item}.json")), found)


if __name__ == "__main__":
    STUDIES["toy"] = Study
    stage.execute(main)
"""

IGNORED = "/data/\n.plumbline/\n__pycache__/\nmlflow.db*\nmlartifacts/\npid\nwaiting\n"

TRAIN = """
import os, signal, time
from pathlib import Path

from plumbline import artifacts, stage
from plumbline.errors import TrainingError


def main(run):
    Path("pid").write_text(str(os.getpid()))
    for epoch in range(3):
        run.metrics({"train/loss": 1 / (1 + epoch), "val/loss": float("nan")}, step=epoch)
    history = "epoch,step,train/loss,val/loss\\n0,0,1,\\n1,1,0.5,\\n2,2,0.25,0.75\\n"
    artifacts.write_text(run.out(Path("reports/history/fnn.csv")), history)
    folder = run.out(Path("data/models/fnn"))
    config = artifacts.ModelConfig(
        model="fnn", architecture="toy", arguments={}, kind="classification", dataset="tabular",
        source="toy", inputs=({"name": "x", "dtype": "float32", "shape": [-1, 2]},),
        outputs=({"name": "y", "dtype": "float32", "shape": [-1, 1]},),
        facts={
            "seed": run.seed,
            "pretrained": {"origin": "package x 1.0", "licence": None, "sha256": "ab" * 32},
        },
    )
    import numpy as np
    behaviour = os.environ.get("TOY", "")
    value = run.params.seed + (behaviour == "chance")  # other bits of the same inputs
    artifacts.save_model(folder, {"weight": np.full((1, 2), value, "float32")}, config)
    if behaviour == "wait":
        Path("waiting").touch()
        while True:
            time.sleep(0.05)
    if behaviour == "fail":
        raise TrainingError("train_fnn: loss must be finite, got nan at step 2; lower the rate")
    if behaviour == "refuse":
        run.refusal = TrainingError("train_fnn: loss must fall, got more; see the history")
    if behaviour == "bug":
        raise ZeroDivisionError("a bug")
    if behaviour == "edit":
        path, old, new = os.environ["TOY_EDIT"].split("|")
        assert old in Path(path).read_text()
        Path(path).write_text(Path(path).read_text().replace(old, new))
    if behaviour == "tune":
        text = Path("params.yaml").read_text()
        Path("params.yaml").write_text(text.replace("seed: 42", "seed: 43"))
    if behaviour == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    stage.execute(main)
"""

EVALUATE = """
from pathlib import Path

from plumbline import artifacts, stage


def main(run):
    artifacts.write_text(run.out(Path("data/predictions/fnn.parquet")), "a table")
    cell = {"value": 0.75, "low": 0.5, "high": 1.0}
    reference = {"majority_class": {"value": 0.5, "low": None, "high": None}}
    report = {
        "model": "fnn", "kind": "classification", "dataset": "tabular", "source": "toy",
        "split": "test", "n": 4, "main_metric": "auroc", "reference": reference,
        "metrics": {"auroc": cell, "accuracy": {"value": None, "low": None, "high": None}},
    }
    artifacts.write_json(run.out(Path("reports/metrics/fnn.json")), report)


if __name__ == "__main__":
    stage.execute(main)
"""


class Toy:
    """The repository in a folder of its own, with its own DVC and git settings."""

    def __init__(self, folder: Path, *, sources: bool = False, lab: bool = False) -> None:
        self.folder = folder
        laboratory = {
            "studies/toy/dvc.yaml": LAB_YAML,
            "studies/toy/params.yaml": "mitigate:\n  strength: 0.5\n",
            "pipelines/mitigate.py": MITIGATE,
        }
        for path, text in {
            **(laboratory if lab else {}),
            "dvc.yaml": DVC_YAML,
            "pipelines/train.py": TRAIN,
            "pipelines/evaluate.py": EVALUATE,
            "code/library.py": "changed = False\n",
            ".dvcignore": "__pycache__\n.plumbline\n",
            ".gitignore": IGNORED,
            ".dvc/config": "[core]\n    analytics = false\n    check_update = false\n",
            ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
        }.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        shutil.copy(ROOT / "params.yaml", folder)
        if sources:
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / "src", folder / "src", ignore=ignore)
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_TR", "DVC_"))},
            **own_settings(folder),
        }
        self.run("git", "init", "-q", "-b", "main", ".")
        self.commit()

    def run(self, *words: str, code: int | None = 0, **env: str) -> subprocess.CompletedProcess:
        done = subprocess.run(
            words, cwd=self.folder, env={**self.env, **env}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if code is not None:
            assert done.returncode == code, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    def start(self, *words: str, **env: str) -> subprocess.Popen:
        return subprocess.Popen(
            words, cwd=self.folder, env={**self.env, **env}, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def repro(self, *words: str, code: int | None = 0, **env: str) -> subprocess.CompletedProcess:
        return self.run(sys.executable, "-m", "dvc", "repro", *words, code=code, **env)

    def stage(self, name: str, code: int | None = 0, **env: str) -> subprocess.CompletedProcess:
        """Run a stage's script as DVC would, without DVC."""
        spec = dvc_files.stage(self.folder, name)
        words = [sys.executable, *spec.cmd.split()[1:]]
        return self.run(*words, code=code, DVC_STAGE=spec.address, **env)

    def commit(self) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", "state")

    @property
    def lock(self) -> str:
        path = self.folder / "dvc.lock"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def seed(self, value: int) -> None:
        path = self.folder / "params.yaml"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text(
            "".join(f"seed: {value}\n" if line.startswith("seed:") else line for line in lines),
            encoding="utf-8",
        )
