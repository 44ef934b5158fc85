"""Activations in NumPy: the values and derivatives of torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plumbline.models import layers
from plumbline.studies.feedforward.numpy_network.activations import ACTIVATIONS


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_and_derivatives_are_those_of_torch(name: str) -> None:
    z = np.concatenate([np.linspace(-40, 40, 401), [-800.0, 0.0, 800.0]])
    leaf = torch.tensor(z, requires_grad=True)
    value = layers.activation(name)(leaf)
    (slope,) = torch.autograd.grad(value.sum(), leaf)
    a, gradient = np.empty_like(z), np.full_like(z, 3.0)
    ACTIVATIONS[name].value(z, a)
    ACTIVATIONS[name].back(z, a, gradient)
    np.testing.assert_allclose(a, value.detach().numpy(), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(gradient, 3 * slope.numpy(), rtol=1e-13, atol=1e-14)
