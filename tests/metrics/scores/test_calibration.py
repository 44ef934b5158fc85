"""Calibration against sums by hand."""

import numpy as np
import pytest

from plumbline.errors import MetricError
from plumbline.metrics.scores import calibration


def test_the_calibration_error_is_the_sum_by_hand():
    """Two bins: (0, 0.5] holds 0.4, 0.5 with one right of two; (0.5, 1] holds 0.9, 1.0, both right.

    Gaps |0.5 - 0.45| and |1 - 0.95|, each with half of the samples: 0.05.
    """
    value = calibration.expected_calibration_error(
        [True, False, True, True], [0.4, 0.5, 0.9, 1.0], bins=2
    )
    assert value == pytest.approx(0.05)


def test_bins_are_closed_above():
    bins = calibration.confidence_bins([0, 0.25, 0.2500001, 0.5, 1.0], bins=4)
    assert bins.tolist() == [0, 0, 1, 1, 3]


def test_no_samples_have_no_calibration_error():
    assert np.isnan(calibration.expected_calibration_error([], [], bins=3))


def test_unfit_input_is_named():
    with pytest.raises(MetricError) as error:
        calibration.confidence_bins([0.5], bins=0)
    assert str(error.value) == "calibration: bins must be >= 1, got 0"
    with pytest.raises(MetricError) as error:
        calibration.confidence_bins([1.5], bins=3)
    expected = "calibration: confidences must be in [0, 1], got values outside of it"
    assert str(error.value) == expected
