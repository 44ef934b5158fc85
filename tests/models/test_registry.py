from __future__ import annotations

import re
import subprocess
import sys

import pytest
import torch

from plumbline import models


@pytest.mark.parametrize(
    "architecture",
    [
        "transformer",  # no short name
        "transformer:Transformer",  # no module of the package
        "rnn:Transformer",  # no class of the module
        "rnn:nn",  # a module, not a class
        "rnn:Tensor",  # not a network
        "layers:nn.Linear",
    ],
)
def test_what_is_no_network_of_the_package_is_refused(architecture):
    message = (
        "models.build: architecture must be one of ['cnn', 'discriminator', 'fnn', 'generator', "
        f"'rnn', 'timm'] or module:Class of a network in plumbline.models, got {architecture!r}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        models.build(architecture)


@pytest.mark.parametrize("architecture", ["os:system", "..cli:main", "torch.nn:Linear", ":", ""])
def test_nothing_outside_the_package_is_imported_for_an_architecture(architecture, monkeypatch):
    monkeypatch.setattr(models, "import_module", pytest.fail)
    with pytest.raises(ValueError, match="architecture must be one of"):
        models.build(architecture)


def test_a_class_of_the_package_needs_no_short_name():
    shape = {"inputs": 3, "outputs": 2, "hidden": [4], "activation": "relu", "dropout": 0.0}
    shape |= {"norm": "none", "init": "default"}
    short, full = models.build("fnn", **shape), models.build("fnn:FeedForward", **shape)
    assert type(short) is type(full)


def test_every_short_name_is_that_of_a_network():
    for address in models.ARCHITECTURES.values():
        module, _, name = address.partition(":")
        cls = getattr(__import__(f"plumbline.models.{module}", fromlist=[name]), name)
        assert issubclass(cls, torch.nn.Module)


def test_the_registry_imports_no_torch_until_asked():
    code = "import sys, plumbline.models; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_frozen_parameters_and_buffers_are_not_counted():
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    assert models.count_parameters(network) == 3 * 4 + 4 + 2 * 4
    network[0].weight.requires_grad_(False)
    assert models.count_parameters(network) == 4 + 2 * 4
