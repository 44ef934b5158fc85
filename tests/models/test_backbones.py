from __future__ import annotations

import json

import pytest
import torch

from plumbline import artifacts, models
from plumbline.compat import torchvision
from plumbline.models import backbones

torchvision.install()
import timm  # noqa: E402 — behind the guard

ARGUMENTS = {
    "architecture": "test_resnet",
    "outputs": 3,
    "image_size": 32,
    "channels": 1,
    "mean": [0.25],
    "scale": [0.5],
    "dropout": 0.0,
}
BYTES = torch.arange(2 * 32 * 32, dtype=torch.uint8).reshape(2, 1, 32, 32)


@pytest.fixture
def hub(tmp_path):
    torch.manual_seed(0)
    saved = models.build("timm", **ARGUMENTS).eval()
    artifacts.write_weights(tmp_path / "model.safetensors", saved.network.state_dict())
    config = backbones.hub_config(saved, classes=["a", "b", "c"])
    artifacts.write_json(tmp_path / "config.json", config)
    return saved, tmp_path


def test_the_head_on_the_features_is_the_forward_pass():
    net = models.build("timm", **{**ARGUMENTS, "dropout": 0.5}).eval()
    assert net.features(BYTES).shape == (2, net.head.in_features)
    assert torch.equal(net.head(net.features(BYTES)), net(BYTES))


def test_bytes_are_scaled_by_the_networks_own_statistics():
    net = models.build("timm", **ARGUMENTS).eval()
    scaled = (BYTES.float() / 255 - 0.25) / 0.5
    assert torch.equal(net(BYTES), net.network(scaled))


def test_only_parameters_of_the_head_are_in_it():
    net = models.build("timm", **ARGUMENTS)
    inside = [name for name, _ in net.named_parameters() if net.in_head(name)]
    assert inside == ["network.fc.weight", "network.fc.bias"]


def test_an_architecture_of_fixed_input_size_is_built_for_the_image():
    net = models.build("timm", **{**ARGUMENTS, "architecture": "test_vit"}).eval()
    assert net(BYTES).shape == (2, 3)
    assert torch.allclose(net.head(net.features(BYTES)), net(BYTES))


@pytest.mark.parametrize("architecture", ["test_resnet", "test_efficientnet", "test_vit"])
def test_both_memory_layouts_are_the_same_function(architecture):
    found = {}
    weights = None
    for layout in backbones.MEMORY_FORMATS:
        torch.manual_seed(0)
        net = backbones.TimmClassifier(
            **{**ARGUMENTS, "architecture": architecture, "memory_format": layout}
        )
        weights = weights or {name: w.clone() for name, w in net.state_dict().items()}
        net.load_state_dict(weights)
        net.double().eval().zero_grad()
        logits = net(BYTES)
        logits.square().sum().backward()
        found[layout] = [logits, net.features(BYTES), *(p.grad for p in net.parameters())]
    for one, other in zip(*found.values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_timm_itself_loads_the_hub_folder(hub):
    saved, folder = hub
    loaded = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    scaled = saved.scale_pixels(BYTES)
    assert torch.equal(loaded(scaled), saved.network(scaled))
    assert loaded.pretrained_cfg["mean"] == [0.25]


def test_timm_itself_adapts_the_hub_folder_to_other_classes_and_channels(hub):
    _, folder = hub
    loaded = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=7, in_chans=3)
    assert loaded(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_pretrained_weights_arrive_with_a_new_head_and_their_statistics(hub):
    saved, folder = hub
    net, arguments = backbones.load_pretrained(
        f"local-dir:{folder}", outputs=10, image_size=32, channels=1
    )
    assert torch.equal(net.eval().features(BYTES), saved.features(BYTES))
    assert net(BYTES).shape == (2, 10)
    assert arguments == {**ARGUMENTS, "outputs": 10, "memory_format": "contiguous"}
    assert json.loads(json.dumps(arguments)) == arguments


def test_statistics_of_colour_images_are_averaged_for_grey_ones(hub):
    _, folder = hub
    config = artifacts.read_json(folder / "config.json")
    config["pretrained_cfg"] |= {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    artifacts.write_json(folder / "config.json", config)
    _, arguments = backbones.load_pretrained(
        f"local-dir:{folder}", outputs=2, image_size=32, channels=1
    )
    assert arguments["mean"] == pytest.approx([0.2])
    assert arguments["scale"] == pytest.approx([0.5])


def test_a_head_of_as_many_classes_is_new_too_unless_it_is_kept(hub):
    saved, folder = hub
    source, size = f"local-dir:{folder}", {"outputs": 3, "image_size": 32, "channels": 1}
    new, _ = backbones.load_pretrained(source, **size)
    kept, _ = backbones.load_pretrained(source, **size, keep_head=True)
    assert torch.equal(kept.eval()(BYTES), saved(BYTES))
    assert torch.equal(new.eval().features(BYTES), saved.features(BYTES))
    assert not torch.equal(new.head.weight, saved.head.weight)


@pytest.mark.parametrize(
    "source", ["hf-hub:timm/resnet18.a1_in1k", "hf-hub:resnet18", "local-dir:x"]
)
def test_a_network_is_restored_by_its_name_alone_never_from_elsewhere(source):
    with pytest.raises(ValueError, match=r"must be a network of timm, got '(hf-hub|local-dir):"):
        backbones.TimmClassifier(
            architecture=source, outputs=2, image_size=32, channels=1, mean=[0.5], scale=[0.5]
        )
