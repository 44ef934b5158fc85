"""The commands of docs/how-to/predict-and-monitor.md work, with small models of their kinds."""

import re
import shlex

import numpy as np
import pandas as pd
from PIL import Image

from plumbline import artifacts, names
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.options import AuditOptions
from plumbline.cli.main import main
from plumbline.inference.classify import predict_classifier
from tests.serving import folders


def test_every_command_of_the_page_writes_what_the_page_says(root, tmp_path, monkeypatch):
    page = (root / "docs/how-to/predict-and-monitor.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) == 5
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    model, data = folders.fnn(tmp_path)
    folders.cnn(tmp_path)
    folders.rnn(tmp_path)
    rows = folders.raw_rows(data)
    rows["target"] = rows["y"].map({0: "low", 1: "high"})
    rows.to_csv("new_patients.csv", index=False)
    (tmp_path / "pictures").mkdir()
    Image.fromarray(np.full((40, 40), 7, dtype=np.uint8)).save(tmp_path / "pictures/a.png")
    pd.DataFrame({"text": ["abc", "dea"]}).to_csv("texts.csv", index=False)
    options = AuditOptions(confidence=0.95, replicates=50, seed=0, min_group_size=5)
    audit = predictions_to_audit(predict_classifier(model, data), options)
    artifacts.write_json(tmp_path / names.AUDITS / "fnn.json", audit)
    for command in commands:
        program, *arguments = shlex.split(command)
        assert (program, main(arguments)) == ("plumbline", 0), command
    found = pd.read_parquet("predictions.parquet")
    assert {"row", "score_high", "decision", "reliability_sex_accuracy_low",
            "reliability_sex_reason"} <= set(found)  # fmt: skip
    assert list(pd.read_parquet("pictures.parquet")["file"]) == ["a.png"]
    assert set(pd.read_parquet("texts.parquet")) == {
        "row", "nll", "characters", "bits_per_character",
    }  # fmt: skip
    assert {p.name for p in (tmp_path / "monitoring").iterdir()} == {
        "monitoring.md", "monitoring.json", "monitoring.svg",
    }  # fmt: skip
