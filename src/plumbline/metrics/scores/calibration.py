"""How far stated confidences are from observed frequencies.

Expected calibration error: Guo et al., "On calibration of modern neural networks", ICML 2017,
https://arxiv.org/abs/1706.04599, equations 2 and 3. Confidence is the largest class probability;
bins have equal width and are closed above, (i/B, (i+1)/B], as in the paper.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plumbline.errors import MetricError


def confidence_bins(confidences: npt.ArrayLike, *, bins: int) -> npt.NDArray[np.int64]:
    """Return the bin of every confidence, ``(N,)``, in 0…bins-1; 0 belongs to the first bin.

    Raises
    ------
    MetricError
        If ``bins`` < 1 or a confidence is outside [0, 1].
    """
    values = np.asarray(confidences, dtype=np.float64)
    if bins < 1:
        raise MetricError(f"calibration: bins must be >= 1, got {bins}")
    if not ((values >= 0) & (values <= 1 + 1e-6)).all():
        raise MetricError("calibration: confidences must be in [0, 1], got values outside of it")
    edges = np.arange(1, bins) / bins
    return np.searchsorted(edges, values, side="left")
