"""Calibration against sums by hand."""

import pytest

from plumbline.errors import MetricError
from plumbline.metrics.scores import calibration


def test_bins_are_closed_above():
    bins = calibration.confidence_bins([0, 0.25, 0.2500001, 0.5, 1.0], bins=4)
    assert bins.tolist() == [0, 0, 1, 1, 3]


def test_unfit_input_is_named():
    with pytest.raises(MetricError) as error:
        calibration.confidence_bins([0.5], bins=0)
    assert str(error.value) == "calibration: bins must be >= 1, got 0"
    with pytest.raises(MetricError) as error:
        calibration.confidence_bins([1.5], bins=3)
    expected = "calibration: confidences must be in [0, 1], got values outside of it"
    assert str(error.value) == expected
