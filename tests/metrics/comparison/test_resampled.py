import math

import numpy as np
import pytest
from scipy.stats import norm, t

from plumbline.metrics.comparison.resampled import bootstrap_difference


def test_percentiles_stand_as_far_out_as_students_t_asks_for():
    replicates = norm.ppf(np.linspace(0.0005, 0.9995, 1000))  # a normal law with deviation 1
    found = bootstrap_difference(0.0, replicates, units=10, confidence=0.95)
    wanted = t.ppf(0.975, 9) * math.sqrt(10 / 9)  # 2.26, times what the bootstrap is too narrow by
    assert (found.low, found.high) == pytest.approx((-wanted, wanted), rel=0.01)
    many = bootstrap_difference(0.0, replicates, units=100_000, confidence=0.95)
    assert many.high == pytest.approx(1.96, rel=0.01)


@pytest.mark.parametrize("shift", [0.0, 1.5, 1.9, 2.2, 2.6, -2.4])
def test_p_agrees_with_the_interval_and_with_students_t(shift):
    replicates = shift + norm.ppf((np.arange(50_000) + 0.5) / 50_000)
    found = bootstrap_difference(shift, replicates, units=40, confidence=0.95)
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
    expected = 2 * t.sf(abs(shift) / math.sqrt(40 / 39), 39)
    assert found.p == pytest.approx(expected, rel=0.02)


def test_models_that_no_unit_tells_apart_have_no_interval():
    for replicates, units in ((np.zeros(100), 50), (np.arange(100.0), 1)):
        found = bootstrap_difference(0.0, replicates, units=units, confidence=0.95)
        assert math.isnan(found.low)
        assert math.isnan(found.p)
    mostly_undefined = np.where(np.arange(100) < 60, np.nan, np.arange(100))
    assert math.isnan(bootstrap_difference(1, mostly_undefined, units=50, confidence=0.95).high)
