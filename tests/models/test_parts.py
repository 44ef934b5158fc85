from __future__ import annotations

import hashlib

import pytest
import torch
from torch import nn

from plumbline import models
from plumbline.models import count_parameters
from plumbline.models.parts import (
    LowRank,
    add_adapters,
    depths,
    freeze_modules,
    merge_adapters,
    parts,
    train_parts,
)

ARCHITECTURES = ["test_resnet", "tf_efficientnet_lite0", "test_vit", "test_convnext"]


def build(architecture: str, dropout: float = 0.0):
    torch.manual_seed(0)
    return models.build(
        "timm",
        architecture=architecture,
        outputs=3,
        image_size=64,
        channels=1,
        mean=[0.5],
        scale=[0.5],
        dropout=dropout,
    )


@pytest.fixture(scope="module")
def images():
    return torch.randint(
        0, 256, (4, 1, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )


def digests(network: nn.Module) -> dict[str, str]:
    """The digest of every parameter and buffer by name."""
    return {
        name: hashlib.sha256(value.detach().numpy().tobytes()).hexdigest()
        for name, value in network.state_dict().items()
    }


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_parameter_is_in_one_part_and_the_head_alone_in_the_first(architecture):
    network = build(architecture)
    found = parts(network)
    names = [name for part in found for name in part]
    assert sorted(names) == sorted(name for name, _ in network.named_parameters())
    assert len(found) > 4
    assert all(network.in_head(name) for name in found[0])
    assert not any(network.in_head(name) for part in found[1:] for name in part)


def test_stages_are_in_order_from_the_head_to_the_stem():
    first = [part[0] for part in parts(build("test_resnet"))]
    assert first == [
        "network.fc.weight",
        "network.layer4.0.conv1.weight",
        "network.layer3.0.conv1.weight",
        "network.layer2.0.conv1.weight",
        "network.layer1.0.conv1.weight",
        "network.conv1.0.weight",
    ]
    depth = depths(build("test_resnet"))
    assert (depth["network.fc.bias"], depth["network.bn1.bias"]) == (0, 5)


def test_a_last_normalisation_belongs_to_the_last_stage():
    depth = depths(build("test_convnext"))
    assert {depth[name] for name in depth if "head.norm" in name} == {1}


def step(network: nn.Module, images: torch.Tensor) -> None:
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.1)
    network(images).square().sum().backward()
    optimiser.step()


@pytest.mark.parametrize("architecture", ["test_resnet", "test_efficientnet"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_frozen_parts_keep_parameters_and_statistics_and_trained_ones_change(
    architecture, count, images
):
    network = build(architecture)
    train_parts(network, count)
    before = digests(network)
    step(network, images)
    step(network, images)  # at first no gradient passes the gains of timm's blocks, which are 0
    changed = {name for name, value in digests(network).items() if value != before[name]}
    open_ = {name for part in parts(network)[:count] for name in part}
    assert changed & {name for name, _ in network.named_parameters()} == open_
    modules = {name.rpartition(".")[0] for name in open_}
    buffers = {name for name, _ in network.named_buffers() if "scale_pixels" not in name}
    assert changed & buffers == {n for n in buffers if n.rpartition(".")[0] in modules}
    assert len(buffers) > len(changed & buffers)


def test_frozen_blocks_drop_nothing_and_trained_ones_do(images):
    network = build("test_vit", dropout=0.5)
    for block in network.network.blocks:
        block.mlp.drop1.p = 0.5
    counts = {}
    for count in (0, 1, 2):
        train_parts(network, count)
        modes = [block.mlp.drop1.training for block in network.network.blocks]
        counts[count] = (sum(modes), network.network.training)
    assert counts == {0: (0, False), 1: (0, True), 2: (1, True)}
    train_parts(network, 1)
    first, second = (network.network.forward_features(images.float()) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(network(images), network(images))  # the dropout before the head


def test_opening_every_part_is_ordinary_training():
    network = build("test_resnet")
    train_parts(network, 1)
    train_parts(network, 99)
    assert all(each.requires_grad for each in network.parameters())
    assert all(module.training for module in network.modules())


def test_a_frozen_network_without_parameters_around_it_follows_its_surroundings():
    around = nn.Sequential(nn.Dropout(), nn.Linear(2, 2), nn.Sequential(nn.ReLU()))
    freeze_modules(around.requires_grad_(False))
    assert [module.training for module in around.modules()] == [False] * 5


@pytest.mark.parametrize("architecture", ["tf_efficientnet_lite0", "test_vit"])
def test_adapters_start_as_the_network_and_train_few_parameters(architecture, images):
    network = build(architecture).eval()
    expected, whole = network(images), count_parameters(network)
    assert add_adapters(network, rank=2) > 5
    assert torch.equal(network.eval()(images), expected)
    assert 0 < count_parameters(network) < 0.3 * whole


def test_an_adapter_has_rank_times_rows_and_columns_parameters_and_adds_their_product():
    adapter = LowRank(torch.ones(5, 3, 1, 1), rank=2)
    assert count_parameters(adapter) == 2 * (5 + 3)
    adapter.up.data = torch.arange(10.0).view(5, 2)
    adapter.down.data = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]])
    found = adapter(torch.ones(5, 3, 1, 1))
    assert found.shape == (5, 3, 1, 1)
    # Row 4 of the product is 8·(1, 0, 2) + 9·(0, 1, 1).
    assert found[4].flatten().tolist() == [9.0, 10.0, 26.0]


def test_merged_adapters_are_the_same_function_of_an_ordinary_network(images):
    network = build("tf_efficientnet_lite0")
    names = list(network.state_dict())
    before = digests(network)
    add_adapters(network, rank=2)
    freeze_modules(network)
    step(network, images)
    network.eval()
    with torch.no_grad():
        expected = network(images)
    merge_adapters(network)
    assert torch.equal(network(images), expected)
    assert list(network.state_dict()) == names
    plain = build("tf_efficientnet_lite0").eval()
    plain.load_state_dict(network.state_dict())
    assert torch.equal(plain(images), expected)
    changed = {name for name, value in digests(network).items() if value != before[name]}
    ends = ("conv_pw.weight", "conv_pwl.weight", "conv_head.weight", "classifier.weight",
            "classifier.bias")  # fmt: skip
    assert changed == {name for name in names if name.endswith(ends)}


def test_a_network_without_a_layer_for_adapters_is_refused():
    network = build("test_resnet")
    for module in network.modules():
        if getattr(module, "downsample", None) is not None:
            module.downsample = None
    network.network.layer3 = nn.Identity()
    message = (
        "models.parts: network must have linear layers or 1×1 convolutions for adapters, got none "
        "in test_resnet; choose another strategy"
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        add_adapters(network, rank=2)
