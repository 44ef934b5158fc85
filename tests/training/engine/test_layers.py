"""Layers of networks: which weights belong to which, and under which name."""

from __future__ import annotations

import torch
from torch import nn

import plumbline.training  # noqa: F401  (installs the torchvision guard before Lightning is imported)
from plumbline.training.engine.layers import find_layers


def test_frozen_weights_vectors_and_other_parameters_are_no_layers():
    module = nn.Module()
    module.network = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.Linear(3, 2))
    module.network[0].requires_grad_(False)
    module.network.register_parameter("position", nn.Parameter(torch.zeros(2, 2)))
    assert [layer.name for layer in find_layers(module)["network"]] == ["000.2"]


def test_a_network_that_is_one_layer_has_its_own_name():
    module = nn.Module()
    module.network = nn.Linear(3, 2)
    (layer,) = find_layers(module)["network"]
    assert (layer.name, layer.module) == ("000.network", "network")


def test_a_parametrised_weight_counts_as_it_is_stored():
    module = nn.Module()
    module.network = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2)))
    (layer,) = find_layers(module)["network"]
    assert (layer.name, layer.module) == ("000.0", "network.0")
    assert layer.weights[0] is module.network[0].parametrizations.weight.original


def test_the_output_of_a_recurrent_cell_is_that_of_its_last_layer():
    module = nn.Module()
    module.network = nn.ModuleDict({"cell": nn.LSTM(2, 3, num_layers=2)})
    first, second = find_layers(module)["network"]
    assert (first.name, first.module, len(first.weights)) == ("000.cell.l0", "", 2)
    assert (second.name, second.module, len(second.weights)) == ("001.cell.l1", "network.cell", 2)
