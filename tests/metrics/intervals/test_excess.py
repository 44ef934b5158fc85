"""The interval of mean score minus share of positives, where it has a closed form."""

import numpy as np
import pytest

from plumbline.metrics.intervals import shares
from plumbline.metrics.intervals.excess import excess_interval


def interval(value, share, n, variance, predicted=0.0, *, designed=False, confidence=0.95):
    ends = excess_interval(
        [value], [share], [n], variance=[variance], predicted=[predicted], designed=designed,
        confidence=confidence,
    )  # fmt: skip
    return tuple(float(end[0]) for end in ends)


@pytest.mark.parametrize("positives", [0, 1, 12, 30])
@pytest.mark.parametrize("confidence", [0.95, 1 - 1e-6])
def test_of_one_score_it_is_that_of_the_share(positives, confidence):
    n, score = 30, 0.2
    share = positives / n
    variance = share * (1 - share) * n / (n - 1)
    low, high = shares.share_interval(positives, n, confidence=confidence)
    found = interval(score - share, share, n, variance, 0.16, confidence=confidence)
    assert found == pytest.approx((score - float(high), score - float(low)))


def test_scores_that_tell_labels_apart_narrow_it_as_far_as_rows_show():
    share = interval(0.0, 0.5, 1000, 0.25 * 1000 / 999, 0.25)
    sharp = interval(0.0, 0.5, 1000, 0.05, 0.05)
    assert sharp[1] == pytest.approx(share[1] * np.sqrt((0.05 + 1.96**2 / 1000) / 0.25), rel=0.01)
    few = interval(0.0, 0.5, 20, 0.0, 0.0)
    assert few[1] > 0.18  # 20 rows without a surprise do not show that there are none


def test_scores_that_vary_by_themselves_widen_it_as_their_mean_varies():
    """No positive, scores of variance 0.09: 1.96 · 0.3 / sqrt(n) above; below the share's, too."""
    low, high = interval(0.5, 0.0, 1000, 0.09, 0.16)
    half = 1.9623 * 0.3 / np.sqrt(1000)
    assert high == pytest.approx(0.5 + half, abs=1e-5)
    assert 0.5 - half > low > 0.5 - half - 0.005


def test_a_design_of_few_units_is_wider():
    plain = interval(0.0, 0.5, 5, 0.25 * 5 / 4, 0.25)
    designed = interval(0.0, 0.5, 5, 0.25 * 5 / 4, 0.25, designed=True)
    assert designed[1] > plain[1]


def test_one_row_has_no_interval():
    assert np.isnan(interval(0.5, 0.0, 1, 0.0)).all()
