"""A report is taken only if it is of this very model."""

import pytest
from ruamel.yaml import YAML

from plumbline import artifacts, names
from plumbline.errors import ArtifactError
from plumbline.runs import dvc_files
from plumbline.serving.beside import report_beside
from tests.serving import folders


def lock(root, **changed):
    """Write a lock in which each file has its own hash, but for those that changed."""

    def entry(path):
        return {"path": path, "md5": changed.get(path, dvc_files.content_hash(root / path))}

    model, table, report = (
        "data/models/fnn", "data/predictions/fnn.parquet", "reports/audits/fnn.json",
    )  # fmt: skip
    stages = {
        "train@fnn": {"cmd": "a", "outs": [entry(model)]},
        "evaluate@fnn": {"cmd": "b", "deps": [entry(model)], "outs": [entry(table)]},
        "audit@fnn": {"cmd": "c", "deps": [entry(table)], "outs": [entry(report)]},
    }
    with (root / "dvc.lock").open("w") as stream:
        YAML().dump({"schema": "2.0", "stages": stages}, stream)


@pytest.fixture
def tree(tmp_path):
    folder, _ = folders.fnn(tmp_path)
    artifacts.write_json(tmp_path / "reports/audits/fnn.json", {"model": "fnn"})
    artifacts.write_text(tmp_path / "data/predictions/fnn.parquet", "table")
    return folder


def test_a_report_without_a_lock_or_with_the_hashes_of_the_lock_is_taken(tree, tmp_path):
    assert report_beside(tree, names.AUDITS, where="predict") == {"model": "fnn"}
    lock(tmp_path)
    assert report_beside(tree, names.AUDITS, where="predict") == {"model": "fnn"}
    assert report_beside(tree, names.METRICS_DIR, where="predict") is None


def test_a_report_of_another_state_of_the_model_is_refused(tree, tmp_path):
    lock(tmp_path)
    (tree / "config.json").write_text((tree / "config.json").read_text() + "\n")
    with pytest.raises(ArtifactError) as caught:
        report_beside(tree, names.AUDITS, where="predict")
    assert str(caught.value) == (
        "predict: reports/audits/fnn.json must be of the model in data/models/fnn, got that of "
        "another state; run plumbline repro audit@fnn"
    )


def test_a_report_that_was_changed_by_hand_is_refused(tree, tmp_path):
    lock(tmp_path)
    artifacts.write_json(tmp_path / "reports/audits/fnn.json", {"model": "fnn", "n": 1})
    with pytest.raises(ArtifactError, match="must be of the model"):
        report_beside(tree, names.AUDITS, where="predict")
