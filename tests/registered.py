"""A work tree with the outputs, the lock and the run records of one model, made without DVC.

Its network is real and untrained; predictions, metrics, audit and gate are what the pipeline makes
of scores that a test chooses.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from plumbline import artifacts, names
from plumbline.artifacts import Predictions
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.options import AuditOptions
from plumbline.metrics.estimates import MetricOptions
from plumbline.metrics.summary import predictions_to_metrics
from plumbline.runs import dvc_files, lineage, processes, records
from plumbline.tracking import sync
from tests.serving import folders

ROOT = Path(__file__).resolve().parents[1]
ROWS = 400
METRICS = MetricOptions(confidence=0.95, replicates=300, seed=0, neighbours=3, splits=10)
AUDIT = AuditOptions(confidence=0.95, replicates=300, seed=0, min_group_size=10)
RULE = {
    "model": "fnn", "quantity": "auroc", "min": 0.6, "source": "engineering", "owner": "us",
    "rationale": "better than chance", "expires": None,
}  # fmt: skip
MARGIN = {
    "metrics": list(names.GROUP_RATES), "comparison": "difference", "margin": 0.1,
    "source": "engineering", "owner": "us", "rationale": "ten in a hundred",
}  # fmt: skip


def predictions(accuracy: float, *, of_b: float | None = None, rows: int = ROWS) -> Predictions:
    """Return decisions of which a share is right, in group ``b`` another one.

    Rows and labels are the same in every table; a worse model errs where a better one does, too.
    """
    row = np.arange(rows)
    y, group = row % 2, np.where((row // 2) % 2, "b", "a")
    place = np.random.default_rng(0).permutation(rows // 4)[row // 4] / (rows // 4)
    right = place < np.where(group == "b", accuracy if of_b is None else of_b, accuracy)
    score = np.where(right == (y == 1), 0.8, 0.2) + 0.1 * (place - 0.5)
    table = pd.DataFrame(
        {
            "sample_id": [f"s{i:04d}" for i in row], "split": names.TEST, "y_true": y,
            "y_pred": (score >= 0.5).astype(np.int64), "score_low": 1 - score,
            "score_high": score, "sex": group,
        }
    )  # fmt: skip
    return Predictions(
        table, "fnn", names.CLASSIFICATION, names.TABULAR, "made_up", ("low", "high"), "high",
        ("sex",),
    )  # fmt: skip


class Tree:
    """The work tree.

    Attributes
    ----------
    folder, data : Path
        The tree, and its prepared table.
    """

    def __init__(self, folder: Path, *, rules=(RULE,), margins=(MARGIN,)) -> None:
        self.folder = folder
        self._runs = 0
        _, self.data = folders.fnn(folder)
        shutil.copy(ROOT / "params.yaml", folder)
        self.write_policy(rules, margins)

    def write_policy(self, rules=(RULE,), margins=(MARGIN,)) -> None:
        """Write ``policy.yaml``."""
        text = yaml.safe_dump({"rules": list(rules), "margins": list(margins)})
        (self.folder / "policy.yaml").write_text(text)

    def run(self, table: Predictions, *, deliver: bool = True) -> None:
        """Train, predict, measure, audit and describe a model, as the pipeline would."""
        self._runs += 1
        (self.folder / "dvc.yaml").unlink(missing_ok=True)
        folders.save(
            self.folder, self.data, "fnn", "fnn", _NETWORK, names.CLASSIFICATION,
            facts={"run": self._runs},
        )  # fmt: skip
        self._write(table)
        stages = {
            "train@fnn": ([], [names.MODEL_DIR / "fnn"], {"train_fnn": {"hidden": [self._runs]}}),
            "evaluate@fnn": ([names.MODEL_DIR / "fnn"], [PREDICTIONS, METRICS_FILE], {}),
            "audit@fnn": ([PREDICTIONS], [AUDIT_FILE, AUDIT_FILE.with_suffix(".md")], {}),
            "card@fnn": ([METRICS_FILE, AUDIT_FILE], [CARD_FILE, REFERENCES], {}),
        }
        gone = {**processes.pipeline_of(2**22), "started": float(self._runs)}
        gone["key"] = f"{self._runs:016x}"
        lock: dict = {"schema": "2.0", "stages": {}}
        for name, (deps, outs, blocks) in stages.items():
            deps, outs = ([self._hashed(path) for path in paths] for paths in (deps, outs))
            entry = {"cmd": name, "deps": deps, "params": {"params.yaml": blocks}, "outs": outs}
            lock["stages"][name] = entry
            named = {side: {one["path"]: one["md5"] for one in entry[side]}
                     for side in ("deps", "outs")}  # fmt: skip
            record = records.open_record(
                self.folder, name, pipeline=gone, params=blocks, deps=named["deps"], cmd=name
            )
            spec = dvc_files.StageSpec(name, name, tuple(named["deps"]), {}, tuple(named["outs"]))
            lineage.keep_outputs(record, spec, self.folder, self.folder)
            record.update(outs=named["outs"])
            record.close(records.FINISHED)
        (self.folder / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))
        self._cache(PREDICTIONS)
        if deliver:
            assert sync.sync(self.folder) == sync.Outcome(0, 0, 0)
        (self.folder / "dvc.yaml").write_text("stages: {}\n")

    def files(self, version) -> Path:
        """Return the folder of the files of a version in the store of the tree."""
        model_id = version.tags["plumbline.logged_model"]
        return self.folder / "mlartifacts/models" / model_id / "artifacts"

    def _write(self, table: Predictions) -> None:
        root = self.folder
        (root / PREDICTIONS).parent.mkdir(parents=True, exist_ok=True)
        table.write(root / PREDICTIONS)
        report = {
            "model": "fnn", "split": names.TEST,
            "dataset": names.TABULAR, "source": "made_up", "kind": names.CLASSIFICATION,
            "n": len(table.table), **predictions_to_metrics(table, METRICS),
            "main_metric": names.AUROC,
        }  # fmt: skip
        artifacts.write_json(root / METRICS_FILE, report)
        artifacts.write_json(root / AUDIT_FILE, predictions_to_audit(table, AUDIT))
        artifacts.write_text(root / AUDIT_FILE.with_suffix(".md"), f"# Audit {self._runs}\n")
        artifacts.write_text(root / CARD_FILE, f"# Card {self._runs}\n")
        artifacts.write_json(root / REFERENCES, [])

    def _hashed(self, path: Path) -> dict[str, str]:
        return {"path": path.as_posix(), "md5": dvc_files.content_hash(self.folder / path)}

    def _cache(self, path: Path) -> None:
        cached = dvc_files.cached(self.folder, self._hashed(path)["md5"])
        cached.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.folder / path, cached)


PREDICTIONS = names.PREDICTIONS / "fnn.parquet"
METRICS_FILE = names.METRICS_DIR / "fnn.json"
AUDIT_FILE = names.AUDITS / "fnn.json"
CARD_FILE, REFERENCES = names.CARDS / "fnn.md", names.CARDS / "fnn.refs.json"
_NETWORK = {
    "inputs": 2, "outputs": 2, "hidden": [4], "activation": "relu", "dropout": 0.5,
    "norm": "none", "init": "default",
}  # fmt: skip
