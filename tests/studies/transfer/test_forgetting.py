"""The study of forgetting: its measures. Its quick size runs in test_laboratories."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from plumbline.params.apply import load_sized
from plumbline.studies.transfer import forgetting, pictures


def _kernel_alignment(x, y):
    """Centred kernel alignment as it is defined, by N × N kernels (Kornblith et al., eq. 1)."""
    count = len(x)
    centre = np.eye(count) - 1 / count
    k, m = (centre @ (of @ of.T) @ centre for of in (x, y))
    return np.trace(k @ m) / math.sqrt(np.trace(k @ k) * np.trace(m @ m))


def test_similarity_is_the_alignment_of_linear_kernels():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 5)) + 2
    y = x[:, :3] @ rng.normal(size=(3, 8)) + rng.normal(size=(30, 8))
    found = forgetting.similarity(torch.tensor(x), torch.tensor(y))
    assert found == pytest.approx(_kernel_alignment(x, y), rel=1e-9)
    assert 0 < found < 1


def test_similarity_is_1_of_turned_and_scaled_features_and_undefined_of_constant_ones():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(20, 4))
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    same = forgetting.similarity(torch.tensor(x), torch.tensor(3 * x @ turn + 7))
    assert same == pytest.approx(1, abs=1e-12)
    assert math.isnan(forgetting.similarity(torch.tensor(x), torch.ones(20, 2)))


def test_few_pictures_have_as_many_labels_of_each_class_and_none_of_the_test(root):
    options = load_sized(root, "transfer", "quick").forgetting
    codes = np.arange(200) % 4
    images = np.arange(200, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 2, 2), np.uint8)
    data = pictures.Pictures(images, codes, tuple("abcd"))
    (few, targets), (held, _) = forgetting._few(data, options, seed=5)
    assert torch.bincount(targets).tolist() == [options.labels] * 4
    assert not set(few[:, 0, 0, 0].tolist()) & set(held[:, 0, 0, 0].tolist())
    assert len(held) == 60
