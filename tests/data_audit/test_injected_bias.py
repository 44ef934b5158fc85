"""Injected bias is found: the audits against a known truth, on the real digits."""

import pytest

from plumbline import params
from plumbline.data.base.injection import inject
from plumbline.data.images.prepare import prepare
from plumbline.data_audit.build import audit_dataset
from plumbline.data_audit.dataset import AuditedDataset
from tests.conftest import ROOT
from tests.data_audit.made_datasets import OPTIONS


@pytest.fixture(scope="module")
def digits():
    return prepare(params.load(ROOT / "params.yaml").data_images, seed=1)


def gap(prepared, attribute, metric):
    dataset = AuditedDataset(prepared.schema, prepared.table, prepared.images[16])
    found = audit_dataset(dataset, options=OPTIONS, reference={})
    (only,) = [g for g in found["gaps"] if (g["attribute"], g["metric"]) == (attribute, metric)]
    return only, found


@pytest.mark.no_cover
def test_digits_as_they_are_show_no_drift(digits):
    assert gap(digits, "slant", "share_drift")[0]["verdict"] == "inconclusive"


@pytest.mark.no_cover
def test_a_group_undersampled_is_found_by_its_share(digits):
    thin = inject(digits, resample={"slant": {"left": 0.1}}, seed=42)
    drift, found = gap(thin, "slant", "share_drift")
    assert drift["verdict"] == "difference"
    assert drift["lowest"] == "left"
    # A third of the training rows falls to a tenth of that: 0.1/3 of 0.7 is 0.048.
    assert drift["value"] == pytest.approx(0.048 - 1 / 3, abs=0.03)
    assert found["injected_bias"][0].endswith("(each with probability 0.1)")


@pytest.mark.no_cover
def test_noisy_labels_of_a_group_are_found_by_their_neighbours(digits):
    noisy = inject(digits, label_noise={"thickness": {"thin": 0.2}}, seed=42)
    disputed, _ = gap(noisy, "thickness", "label_disagreement")
    assert (disputed["verdict"], disputed["highest"]) == ("difference", "thin")
    # A fifth of the 55 % of the group that trains; few more are disputed as it is.
    assert disputed["value"] == pytest.approx(0.11, abs=0.04)
