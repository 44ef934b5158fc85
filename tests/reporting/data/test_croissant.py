import json

import pytest

from plumbline import artifacts
from plumbline.artifacts import plain
from plumbline.data_audit.build import audit_dataset
from plumbline.data_audit.dataset import AuditedDataset
from plumbline.reporting.data.croissant import describe
from tests import prepared_folders
from tests.data_audit.made_datasets import OPTIONS

# mlcroissant and the parsers it stands on use what Python is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")


def described(folder, kind):
    getattr(prepared_folders, f"write_{kind}_folder")(folder)
    subject = AuditedDataset.read(folder)
    found = plain(audit_dataset(subject, options=OPTIONS, reference={}))
    return subject, describe(folder, found)


@pytest.mark.no_cover
@pytest.mark.parametrize("kind", ["table", "image", "text"])
def test_the_validator_accepts_it_and_reads_every_record(tmp_path, kind):
    import mlcroissant

    subject, found = described(tmp_path, kind)
    path = tmp_path / "croissant.json"
    artifacts.write_json(path, found)
    dataset = mlcroissant.Dataset(jsonld=path)
    issues = dataset.metadata.ctx.issues
    assert not issues.errors
    # What is not known is left out, not made up.
    assert {w.partition('"')[2].partition('"')[0] for w in issues.warnings} <= {
        "https://schema.org/datePublished",
        "https://schema.org/version",
        "http://mlcommons.org/croissant/citeAs",  # the made-up data have no citation
    }
    records = list(dataset.records("samples"))
    ids = [record["samples/sample_id"].decode() for record in records]
    assert ids == list(subject.table["sample_id"])
    assert set(records[0]) == {f"samples/{column}" for column in subject.table}


def test_every_file_is_pinned_by_its_digest(tmp_path):
    _, found = described(tmp_path, "image")
    files = {file["contentUrl"]: file["sha256"] for file in found["distribution"]}
    assert set(files) == {"images_16.npy", "schema.json", "table.parquet"}
    for name, sha256 in files.items():
        assert artifacts.digest(tmp_path / name) == sha256


def test_it_says_what_differs_between_groups(tmp_path):
    subject, _ = described(tmp_path, "table")
    audit = {
        "gaps": [
            {"metric": "label_rate/high", "attribute": "sex", "verdict": "difference",
             "reason": "a and b differ"},
            {"metric": "share_drift", "attribute": "sex", "verdict": "inconclusive",
             "reason": ""},
        ],
        "injected_bias": ["less of a"],
    }  # fmt: skip
    biases = describe(tmp_path, audit)["rai:dataBiases"]
    assert biases == ["injected on purpose: less of a", "label_rate/high by sex: a and b differ"]
    assert json.dumps(describe(tmp_path, audit)) == json.dumps(describe(tmp_path, audit))
    assert subject.schema.source == "made_up"
