from __future__ import annotations

import re
import subprocess
import sys

import pytest
import torch

from plumbline import models


def test_an_unknown_architecture_is_refused_with_the_known_ones():
    message = (
        "models.build: architecture must be one of ['cnn', 'discriminator', 'fnn', 'generator', "
        "'rnn', 'timm'], got 'transformer'"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        models.build("transformer")


def test_every_architecture_is_a_class_of_its_module():
    for module, name in models.ARCHITECTURES.values():
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
