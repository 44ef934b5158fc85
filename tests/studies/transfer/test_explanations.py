"""Parts of the study on explanations, against SciPy and maps made by hand."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from plumbline.studies.transfer import explanations
from plumbline.studies.transfer.small_fits import CNN, fit, probabilities


def test_similarity_is_the_mean_rank_correlation_and_0_for_a_flat_map():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5, (2, 3, 4, 4)).astype(float)
    expected = np.mean(
        [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)]
    )
    assert explanations._similarity(first, second) == pytest.approx(expected)
    assert explanations._similarity(first, first) == pytest.approx(1)
    assert explanations._similarity(first, np.ones_like(first)) == 0


def test_curves_of_a_map_that_names_the_only_pixel_that_counts():
    class OnePixel(torch.nn.Module):
        def forward(self, x):
            on = 100.0 * (x[:, 0, 1, 1] > 128)
            return torch.stack([on, torch.full_like(on, 50.0)], dim=1)

    subject = explanations._Seed.__new__(explanations._Seed)
    subject.network, subject.baseline = OnePixel(), torch.zeros(1, 4, 4)
    subject.rng = np.random.default_rng(0)
    subject.options = type("Options", (), {"steps": 4})
    images, codes = torch.full((2, 1, 4, 4), 255, dtype=torch.uint8), torch.tensor([0, 0])
    values = np.zeros((2, 4, 4))
    values[:, 1, 1] = 1.0
    # The probability is 1 with the pixel and 0 without: a trapezoid of the first quarter.
    assert subject.curves(images, codes, values) == {"deletion": 0.125, "insertion": 0.875}
    assert subject.curves(images, codes, -values) == {"deletion": 0.875, "insertion": 0.125}


def test_equal_seeds_give_equal_networks_whatever_torch_has_drawn_before():
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (40, 1, 16, 16)))
    found = []
    for _ in range(2):
        torch.rand(3)
        network = fit(CNN, images, torch.arange(40) % 10, epochs=1, rate=0.01, seed=3)
        found.append(probabilities(network, images))
    assert torch.equal(*found)
