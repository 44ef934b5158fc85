from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from plumbline import artifacts
from plumbline.artifacts import ModelConfig
from plumbline.compat import torchvision
from plumbline.errors import ArtifactError, DataError
from plumbline.inference.restore import restore
from plumbline.params.models import FinetuneParams, PretrainParams
from plumbline.training.engine.loaders import training_device
from plumbline.training.recipes.pretraining import pretrain_backbone
from plumbline.training.recipes.transfer import STRATEGIES, finetune
from tests.models.test_parts import digests
from tests.prepared_folders import FINETUNE_OFF, PLAIN, write_image_folder

torchvision.install()
import timm  # noqa: E402 — behind the guard

AUGMENTATION = {"shift": 1.0, "rotate": 5.0, "scale": 0.05, "mirror": False}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_image_folder(tmp_path_factory.mktemp("images"), size=32, count=60)


@pytest.fixture(scope="module")
def glyphs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("glyphs")
    return write_image_folder(folder, dataset="glyphs", size=32, count=60, classes=4)


@pytest.fixture
def backbone(glyphs, context, optimisation, tmp_path):
    parameters = PretrainParams(
        backbone="test_resnet",
        memory_format="contiguous",
        augmentation=AUGMENTATION,
        optimisation=optimisation(max_epochs=1),
    )
    fitted = pretrain_backbone(parameters, data=glyphs, context=context(stage="pretrain"))
    fitted.save(tmp_path / "backbone")
    return fitted, tmp_path / "backbone"


@pytest.fixture
def run(backbone, data, context, optimisation):
    def fit(strategy: str, data=data, **changes):
        parameters = FinetuneParams(
            **{
                "backbone": f"local-dir:{backbone[1]}/hub",
                "classification": PLAIN,
                "image_size": 32,
                "memory_format": "channels_last",
                "head_dropout": 0.1,
                "augmentation": AUGMENTATION,
                "probe_views": 2,
                "backbone_lr_scale": 0.5,
                **FINETUNE_OFF,
                "optimisation": optimisation(max_epochs=3, patience=3),
                **changes,
            }
        )
        context_ = context(stage=f"finetune@{strategy}")
        return finetune(parameters, strategy=strategy, data=data, context=context_)

    return fit


def test_the_backbone_restores_in_both_formats(backbone):
    fitted, folder = backbone
    images = torch.arange(2 * 32 * 32, dtype=torch.uint8).reshape(2, 1, 32, 32)
    network, config = restore(folder)
    expected = fitted.network.eval()(images)
    assert torch.equal(network(images), expected)
    assert (config.model, config.dataset, len(config.classes)) == ("backbone", "glyphs", 4)
    from_hub = timm.create_model(f"local-dir:{folder}/hub", pretrained=True).eval()
    assert torch.equal(from_hub(fitted.network.scale_pixels(images)), expected)


def test_a_linear_probe_leaves_every_frozen_parameter_and_statistic_alone(backbone, run):
    before = digests(backbone[0].network.network)
    fitted = run("linear_probe")
    after = digests(fitted.network.network)
    assert set(before) == set(after)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"fc.weight", "fc.bias"}
    assert any("running_mean" in name for name in before)


def test_a_linear_probe_trains_and_counts_its_head_alone(run):
    fitted = run("linear_probe")
    features = fitted.network.head.in_features
    assert fitted.config.parameters == features * 3 + 3
    trainable = [name for name, p in fitted.network.named_parameters() if p.requires_grad]
    assert trainable == ["network.fc.weight", "network.fc.bias"]


def test_full_fine_tuning_changes_head_and_backbone_and_keeps_the_statistics_of_its_pixels(
    backbone, run
):
    before = digests(backbone[0].network.network)
    fitted = run("full")
    after = digests(fitted.network.network)
    assert all(before[name] != after[name] for name in before)
    assert fitted.config.arguments["mean"] == pytest.approx(backbone[0].config.arguments["mean"])
    assert fitted.config.facts["probe"]["views"] == 2


def test_scratch_takes_the_architecture_and_none_of_the_weights(backbone, run):
    (backbone[1] / "hub" / "model.safetensors").unlink()
    fitted = run("scratch")
    assert fitted.config.arguments["architecture"] == "test_resnet"
    assert fitted.config.arguments["mean"] != backbone[0].config.arguments["mean"]


def test_too_few_labels_stop_fine_tuning_with_the_names_of_the_classes(tmp_path, run):
    folder = write_image_folder(tmp_path / "images", size=32, count=60)
    schema = artifacts.read_json(folder / "schema.json")
    schema["about"] = {"labels_per_class": 10, "short_of_labels": {"bar0": 7, "bar2": 0}}
    artifacts.write_json(folder / "schema.json", schema)
    with pytest.raises(DataError) as error:
        run("full", data=folder)
    assert str(error.value) == (
        "finetune: data_images.labels_per_class must be at most the number of training images of "
        "every class, got 10 with fewer in 'bar0' (7), 'bar2' (0); lower it, or add images of "
        "these classes"
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_sees_the_labelled_images_alone_and_keeps_the_last_epoch(run, strategy):
    fitted = run(strategy)
    facts = fitted.config.facts
    # 36 of 60 images train; every second row of the table may show its label.
    assert facts["train_samples"] == 18
    assert (facts["strategy"], facts["chosen_by"]) == (strategy, "last epoch")
    assert (facts["epochs"], facts["best_epoch"]) == (3, 2)
    assert fitted.config.model == f"finetune_{strategy}"
    assert list(fitted.history.rows) == [0, 1, 2]


def test_validation_labels_change_nothing_but_the_curves(data, run, tmp_path):
    before = digests(run("full").network)
    table, meta = artifacts.read_table(data / "table.parquet")
    held_out = table["split"] == "val"
    other = table.assign(y=table["y"].where(~held_out, 2 - table["y"]))
    try:
        artifacts.write_table(data / "table.parquet", other, meta)
        assert digests(run("full").network) == before
    finally:
        artifacts.write_table(data / "table.parquet", table, meta)


def test_a_fine_tuned_network_restores_without_its_backbone(run, backbone, tmp_path):
    fitted = run("full")
    fitted.save(tmp_path / "tuned")
    for file in (backbone[1] / "hub").iterdir():
        file.unlink()
    network, config = restore(tmp_path / "tuned")
    images = torch.arange(32 * 32, dtype=torch.uint8).reshape(1, 1, 32, 32)
    assert torch.equal(network(images), fitted.network.eval()(images))
    assert ModelConfig.read(tmp_path / "tuned") == config


def test_a_missing_backbone_names_the_stage_that_makes_it(run, tmp_path):
    message = (
        f"finetune.backbone: folder must hold a model in hub format, got none at "
        f"{(tmp_path / 'nowhere').as_posix()}; run the stage pretrain"
    )
    with pytest.raises(ArtifactError, match=f"^{re.escape(message)}$"):
        run("full", backbone=f"local-dir:{tmp_path}/nowhere")


def test_an_unknown_strategy_is_refused(run):
    message = (
        "training.finetune: strategy must be one of ('scratch', 'linear_probe', 'full', "
        "'fine_tune', 'partial', 'progressive', 'layer_decay', 'adapters'), got 'freeze'"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        run("freeze")


def test_glyphs_of_several_sizes_are_refused(data, context, optimisation, tmp_path):
    folder = write_image_folder(tmp_path / "glyphs", size=32)
    (folder / "images_16.npy").write_bytes(b"")
    parameters = PretrainParams(
        backbone="test_resnet",
        memory_format="contiguous",
        augmentation=AUGMENTATION,
        optimisation=optimisation(),
    )
    message = "glyphs: folder must hold images of one size, got ['images_16.npy', 'images_32.npy']"
    with pytest.raises(ArtifactError, match=f"^{re.escape(message)}$"):
        pretrain_backbone(parameters, data=folder, context=context())


def test_a_fit_on_the_cpu_stays_on_the_cpu():
    assert training_device("cpu").type == "cpu"


@pytest.mark.parametrize(("name", "place"), [("LOCAL_RANK", 1), ("SLURM_LOCALID", 1), ("", 0)])
def test_each_process_takes_its_own_gpu(monkeypatch, name, place):
    for variable in ("LOCAL_RANK", "SLURM_LOCALID"):
        monkeypatch.delenv(variable, raising=False)
    if name:
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert training_device("auto") == torch.device("cuda", place)


@pytest.mark.parametrize("strategy", ["linear_probe", "full"])
def test_fine_tuning_weights_the_classes_of_its_few_labels(tmp_path, run, strategy):
    data = write_image_folder(tmp_path / "two", size=32, count=60, classes=2)
    table, meta = artifacts.read_table(data / "table.parquet")
    rare = (table["y"] == 1) & (table.index % 4 > 0)
    artifacts.write_table(
        data / "table.parquet", table.assign(labelled=table["labelled"] & ~rare), meta
    )
    how = {"class_weights": "balanced", "decision": "f1"}
    plain, fitted = (run(strategy, data=data, classification=c) for c in (PLAIN, how))
    facts = fitted.config.facts
    labelled = artifacts.read_split_table(data).query("labelled")["y"]
    counts = np.bincount(labelled)
    assert 0 < counts[1] < counts[0]
    expected = dict(zip(("bar0", "bar1"), (len(labelled) / (2 * counts)).tolist(), strict=True))
    assert facts["class_weights"] == pytest.approx(expected, rel=1e-6)
    assert facts["decision"]["rows"] == facts["val_samples"] == 12
    assert not torch.equal(plain.network.head.weight, fitted.network.head.weight)


@pytest.mark.parametrize(
    ("strategy", "frozen"),
    [
        ("partial", ("conv1", "bn1", "layer1", "layer2", "layer3")),
        ("adapters", ()),
        ("progressive", ("conv1", "bn1", "layer1", "layer2")),  # three epochs open three parts
        ("layer_decay", ()),
        ("fine_tune", ()),
    ],
)
def test_frozen_parts_of_a_fit_keep_their_weights_and_statistics(backbone, run, strategy, frozen):
    before = digests(backbone[0].network.network)
    after = digests(run(strategy).network.network)
    assert list(before) == list(after)
    same = {name for name in before if before[name] == after[name]}
    if strategy == "adapters":
        expected = {n for n in before if not n.startswith("fc") and n not in _ADAPTED}
        assert all(
            name in expected for name in before if any(part in name for part in ("bn", "running"))
        )
    else:
        expected = {name for name in before if name.startswith(frozen)}
    assert same == expected


_ADAPTED = {f"{layer}.weight" for layer in ("layer2.0.downsample.1", "layer3.0.conv1",
            "layer3.0.conv3", "layer3.0.downsample.1", "layer4.0.downsample.1")}  # fmt: skip


def test_parameters_are_counted_as_trained_and_adapters_as_such(run):
    head = run("linear_probe").network.head.in_features * 3 + 3
    found = {name: run(name).config.parameters for name in ("linear_probe", "adapters", "partial")}
    assert found["linear_probe"] == head
    assert head < found["adapters"] < found["partial"] < run("fine_tune").config.parameters


def test_a_model_says_where_its_weights_come_from(run, backbone):
    folder = backbone[1] / "hub"
    assert run("partial").config.facts["pretrained"] == {
        "source": f"local-dir:{folder}",
        "origin": f"folder {folder}",
        "architecture": "test_resnet",
        "licence": None,
        "sha256": artifacts.digest(folder / "model.safetensors"),
    }
    assert "pretrained" not in run("scratch").config.facts


@pytest.mark.parametrize(
    "technique", [{"mixup": 0.4}, {"cutmix": 1.0}, {"ema_decay": 0.5}, {"rand_augment": "rand-m9"}]
)
def test_a_technique_changes_the_fit_and_is_a_fact_of_it(run, technique):
    plain, changed = run("fine_tune"), run("fine_tune", **technique)
    assert digests(plain.network) != digests(changed.network)
    ((name, value),) = technique.items()
    assert changed.config.facts[name] == value
    assert name not in plain.config.facts


def test_a_teacher_changes_the_fit_and_is_a_fact_of_it(run, tmp_path):
    run("full").save(tmp_path / "teacher")
    how = {"teacher": str(tmp_path / "teacher"), "weight": 0.5, "temperature": 2.0}
    plain, taught = run("fine_tune"), run("fine_tune", distillation=how)
    assert digests(plain.network) != digests(taught.network)
    weights = artifacts.digest(tmp_path / "teacher" / "model.safetensors")
    assert taught.config.facts["teacher"] == {"folder": how["teacher"], "sha256": weights}
    assert list(taught.network.state_dict()) == list(plain.network.state_dict())


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["partial", "adapters"])
def test_imagenet_weights_are_fitted_to_few_small_images(run, optimisation, tmp_path, strategy):
    data = write_image_folder(tmp_path / "images", size=96, count=60)
    fitted = run(
        strategy, data=data, backbone="package:efficientnet_lite0", image_size=96, ema_decay=0.5,
        optimisation=optimisation(max_epochs=6, patience=6, lr=0.003),
    )  # fmt: skip
    fitted.save(tmp_path / "tuned")
    network, config = restore(tmp_path / "tuned")
    facts = config.facts["pretrained"]
    assert (facts["licence"], facts["sha256"][:8]) == ("Apache-2.0", "57934424")
    assert config.arguments["architecture"] == "tf_efficientnet_lite0"
    assert config.arguments["mean"] == [0.5]
    images = torch.from_numpy(artifacts.read_images(data, 96, rows=60))
    with torch.inference_mode():
        assert torch.equal(network(images), fitted.network.eval()(images))
    history = list(fitted.history.rows.values())
    assert history[-1]["train/loss"] < history[0]["train/loss"]
