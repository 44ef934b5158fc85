"""Reports of two processors are compared in their numbers, not in the lengths of their curves."""

import json

import pytest

from plumbline.verify.tolerances import difference, kind_of


def report(path, *, metric=0.8, baseline=0.7, curve=(0.0, 1.0)):
    found = {
        "metrics": {"auroc": {"value": metric}},
        "reference": {"baseline/auroc": {"value": baseline}},
        "curves": {"roc": list(curve)},
    }
    path.write_text(json.dumps(found))
    return path


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"curve": (0.0, 0.5, 1.0)}, ""),
        ({"metric": 0.81, "baseline": 0.69}, ""),
        ({"metric": 0.4}, "metrics.auroc.value"),
        ({"baseline": 0.2}, "reference.baseline/auroc.value"),
    ],
)
def test_metrics_and_references_are_compared_and_curves_are_not(tmp_path, change, where):
    tolerance = kind_of("reports/metrics/fnn.json").elsewhere
    told = difference(report(tmp_path / "a.json"), report(tmp_path / "b.json", **change), tolerance)
    assert (where in told) if where else told == ""
