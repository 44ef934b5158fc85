"""Real fits of every kind of network are watched: nothing changes, and what is said is true."""

from __future__ import annotations

import logging
import math
import re

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback
from torch import nn

from plumbline.errors import TrainingError
from plumbline.models import build
from plumbline.params.models import CnnParams, FinetuneParams, PretrainParams
from plumbline.tasks.classify import ClassifierTask
from plumbline.training.engine.diagnosis import DEAD, EXPLODING, HEALTHY, VANISHING, slope
from plumbline.training.engine.loaders import MemoryBatches
from plumbline.training.engine.trace import tensor_digest
from plumbline.training.recipes.adversarial import fit_gan
from plumbline.training.recipes.base import run_fit
from plumbline.training.recipes.images import fit_cnn
from plumbline.training.recipes.language import fit_language_model
from plumbline.training.recipes.pretraining import pretrain_backbone
from plumbline.training.recipes.transfer import finetune
from tests.prepared_folders import FINETUNE_OFF, PLAIN, write_image_folder, write_text_folder
from tests.training.loaders import Loaders
from tests.training.recipes import test_adversarial, test_images, test_language
from tests.training.recipes.transfer import test_finetune

COUNT, BATCH = 40, 10
LAYERS = "gradients/network/layers"


@pytest.fixture
def fit(tmp_path, context, optimisation, trainer_params):
    """Fit a feed-forward network; return the result, the network and its module."""
    rng = np.random.default_rng(0)
    inputs = torch.tensor(rng.normal(size=(COUNT, 3)), dtype=torch.float32)
    targets = (inputs[:, 0] > 0).long()

    def run(name: str, *, on: bool = True, callbacks=(), epochs=3, clip=0.5, shape=None,
            batch=BATCH, **changes):  # fmt: skip
        torch.manual_seed(5)
        usual = {"hidden": [8, 8], "activation": "relu", "dropout": 0.2, "norm": "batch",
                 "init": "he_normal"}  # fmt: skip
        network = build("fnn", inputs=3, outputs=2, **{**usual, **(shape or {})})
        network.standardise.fit(inputs)
        task = ClassifierTask(network, settings=optimisation(max_epochs=epochs, **changes))
        batches = MemoryBatches(inputs, targets, batch_size=batch, shuffle=True, seed=7)
        held_out = MemoryBatches(inputs, targets, batch_size=COUNT, shuffle=False)
        result = run_fit(
            task,
            Loaders(batches, held_out),
            context=context(
                work=tmp_path / name / "fit",
                trainer=trainer_params(checkpoint_seconds=0, diagnostics=on),
            ),
            max_epochs=epochs,
            gradient_clip=clip,
            callbacks=callbacks,
        )
        return result, network

    return run


def digests(network):
    return {name: tensor_digest(value) for name, value in network.state_dict().items()}


def without_gradients(history):
    return {
        epoch: {name: value for name, value in row.items() if not name.startswith("gradients/")}
        for epoch, row in history.rows.items()
    }


# --- nothing changes ------------------------------------------------------------------------------


def test_a_watched_fit_has_the_bits_and_the_history_of_an_unwatched_one(fit):
    (plain, one), (watched, other) = fit("plain", on=False), fit("watched")
    assert digests(one) == digests(other)
    assert without_gradients(watched.history) == plain.history.rows
    assert watched.history.steps == plain.history.steps
    assert plain.found == {}
    assert watched.found["diagnostics"]["network"]["verdict"] == HEALTHY


def fit_both(run):
    """Return the models of a fit without and with diagnostics, which have the same weights."""
    plain, watched = run(False), run(True)
    assert digests(plain.network) == digests(watched.network)
    assert without_gradients(watched.history) == plain.history.rows
    assert "diagnostics" not in plain.config.facts
    return watched


def test_a_recurrent_network_is_watched_layer_by_layer(tmp_path, context, trainer_params):
    data = write_text_folder(tmp_path / "text")
    parameters = test_language.settings(dropout=0.1, layers=2, optimisation={"max_epochs": 2})

    def run(on):
        found = context(stage="train@rnn", trainer=trainer_params(diagnostics=on))
        return fit_language_model(parameters, data=data, context=found, architecture="rnn")

    watched = fit_both(run)
    names = {n.rpartition("/")[2] for n in watched.history.columns() if "/norm/" in n}
    assert names == {"000.embedding", "001.cell.l0", "002.cell.l1", "003.projection"}
    assert watched.config.facts["diagnostics"]["network"]["layers"] == 4


def test_both_networks_of_a_gan_are_watched_at_their_own_updates(tmp_path, context, trainer_params):
    data = write_image_folder(tmp_path / "images")

    def run(on):
        found = context(stage="train@gan", trainer=trainer_params(diagnostics=on))
        return fit_gan(test_adversarial.settings(steps=25), data=data, context=found)

    watched = fit_both(run)
    assert set(watched.config.facts["diagnostics"]) == {"generator", "discriminator"}
    assert list(watched.history.rows) == [10, 20, 25]
    row = watched.history.rows[25]
    assert row["gradients/discriminator/slope"] != row["gradients/generator/slope"]
    assert any(name.startswith("gradients/generator/layers/saturated_share/") for name in row)


@pytest.mark.parametrize("architecture", ["convnet", "timm:test_resnet"])
def test_convolutions_are_watched(tmp_path, context, optimisation, trainer_params, architecture):
    data = write_image_folder(tmp_path / "images")
    parameters = CnnParams(
        **{**test_images.CNN, "architecture": architecture}, optimisation=optimisation(max_epochs=2)
    )

    def run(on):
        found = context(stage="train@cnn", trainer=trainer_params(diagnostics=on))
        return fit_cnn(parameters, data=data, context=found)

    found = fit_both(run).config.facts["diagnostics"]["network"]
    assert found["layers"] >= 4
    assert 0 <= found["last"]["dead_share"] < 1


@pytest.mark.parametrize(("strategy", "layers"), [("linear_probe", 1), ("full", 8)])
def test_fine_tuning_is_watched(tmp_path, context, optimisation, trainer_params, strategy, layers):
    data = write_image_folder(tmp_path / "images", size=32, count=60)
    common = {"memory_format": "contiguous", "augmentation": test_finetune.AUGMENTATION}
    settings = optimisation(max_epochs=1, patience=1)
    pretrain = PretrainParams(backbone="test_resnet", optimisation=settings, **common)
    glyphs = write_image_folder(tmp_path / "glyphs", dataset="glyphs", size=32, count=60)
    pretrain_backbone(pretrain, data=glyphs, context=context()).save(tmp_path / "backbone")
    parameters = FinetuneParams(
        backbone=f"local-dir:{tmp_path}/backbone/hub", classification=PLAIN, image_size=32,
        head_dropout=0.1, probe_views=2, backbone_lr_scale=0.5, optimisation=settings, **common,
        **FINETUNE_OFF,
    )  # fmt: skip

    def run(on):
        found = context(stage="train@finetune", trainer=trainer_params(diagnostics=on))
        return finetune(parameters, strategy=strategy, data=data, context=found)

    found = fit_both(run).config.facts["diagnostics"]["network"]
    assert found["layers"] >= layers
    assert (found["last"]["slope"] is None) == (layers == 1)


def test_modules_are_left_without_hooks(fit):
    _, network = fit("done")
    with pytest.raises(TrainingError):
        fit("failed", optimizer="sgd", lr=1e6, clip=0.0, shape={"norm": "none"})
    assert all(not module._forward_hooks for module in network.modules())


class StopError(Exception):
    pass


class At(Callback):
    """Do something before the batch of a step, counted from 1."""

    def __init__(self, step: int, act) -> None:
        self.step, self.act, self.seen = step, act, 0

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        self.seen += 1
        if self.seen == self.step:
            self.act(module)


@pytest.mark.parametrize("step", [2, 4, 5, 7, 12])
def test_a_resumed_fit_finds_what_a_straight_one_does(fit, step):
    straight, _ = fit("straight")

    def stop(module):
        raise StopError

    with pytest.raises(StopError):
        fit("stopped", callbacks=[At(step, stop)])
    resumed, network = fit("stopped")
    assert resumed.found == straight.found
    assert resumed.history.rows == straight.history.rows
    again, _ = fit("stopped")  # whose result is there already
    assert again.found == straight.found
    assert all(not module._forward_hooks for module in network.modules())


# --- what is said is true -------------------------------------------------------------------------


def test_a_row_holds_what_autograd_gives_for_its_step(fit):
    """One batch per epoch: a row is one step. Without dropout the test can repeat it."""
    seen = {}

    class Look(Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            network, (inputs, targets) = module.network, batch
            hidden, variances = network.standardise(inputs), []
            for layer in [*network.body, network.head]:
                hidden = layer(hidden)
                if isinstance(layer, nn.Linear):
                    variances.append(float(hidden.detach().double().var(correction=0)))
                if isinstance(layer, nn.Tanh):
                    seen["saturated"] = float((hidden.abs() > math.tanh(2)).float().mean())
            loss = nn.functional.cross_entropy(hidden, targets)
            gradients = torch.autograd.grad(loss, [layer.weight for layer in linear(network)])
            seen["norm"] = [float(g.double().norm()) for g in gradients]
            seen["variance"] = variances
            seen["before"] = [layer.weight.detach().clone() for layer in linear(network)]

        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            pairs = zip(linear(module.network), seen["before"], strict=True)
            ratios = [float((n.weight.detach() - old).norm() / old.norm()) for n, old in pairs]
            seen["update_ratio"] = ratios

    shape = {"norm": "none", "dropout": 0.0, "activation": "tanh"}
    result, _ = fit("run", callbacks=[Look()], epochs=1, batch=COUNT, shape=shape)
    row = result.history.rows[0]
    for at, name in enumerate(["000.body.0", "001.body.4", "002.head"]):
        for quantity in ("norm", "variance", "update_ratio"):
            expected = seen[quantity][at]
            assert row[f"{LAYERS}/{quantity}/{name}"] == pytest.approx(expected, rel=1e-4)
    assert row["gradients/network/slope"] == pytest.approx(slope(seen["norm"]), rel=1e-4)
    assert row[f"{LAYERS}/saturated_share/001.body.6"] == pytest.approx(seen["saturated"])
    assert result.found["diagnostics"]["network"]["last"]["dead_share"] is None


def linear(network):
    return [module for module in network.modules() if isinstance(module, nn.Linear)]


def test_twenty_sigmoid_layers_vanish_as_the_theory_says(fit):
    """Weights are within ±1/√n, of variance 1/(3n), and σ'(0) is 1/4: √(n · 1/(3n) / 16)."""
    shape = {"hidden": [64] * 20, "activation": "sigmoid", "norm": "none", "init": "default",
             "dropout": 0.0}  # fmt: skip
    result, _ = fit("deep", shape=shape, epochs=1)
    found = result.found["diagnostics"]["network"]
    assert found["verdict"] == VANISHING
    assert found["first"]["slope"] == pytest.approx(math.log10(math.sqrt(1 / 48)), rel=0.2)
    assert "ReLU with He initialisation" in found["fix"]
    assert "residual connections" in found["fix"]


def test_relu_with_he_initialisation_cures_it(fit):
    shape = {"hidden": [64] * 20, "activation": "relu", "norm": "none", "init": "he_normal",
             "dropout": 0.0}  # fmt: skip
    result, _ = fit("deep", shape=shape, epochs=1, lr=1e-4)
    found = result.found["diagnostics"]["network"]
    assert found["first"]["verdict"] == HEALTHY
    assert abs(found["first"]["slope"]) < 0.05


@pytest.mark.parametrize(("scale", "verdict"), [(0.5, VANISHING), (2.0, EXPLODING)])
def test_relu_from_weights_of_the_wrong_size_is_seen_in_the_signal(fit, scale, verdict):
    """The gradients by the weights are of equal size in all layers: δ shrinks as outputs grow."""

    class Scale(Callback):
        def on_train_start(self, trainer, module):
            with torch.no_grad():
                for layer in linear(module.network):
                    layer.weight.mul_(scale)

    shape = {"hidden": [64] * 20, "norm": "none", "dropout": 0.0}
    result, _ = fit("scaled", shape=shape, epochs=1, lr=1e-6, callbacks=[Scale()])
    found = result.found["diagnostics"]["network"]
    assert abs(found["first"]["slope"]) < 0.1
    assert found["verdict"] == verdict
    assert "the signal" in found["reason"]


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


def test_residual_connections_cure_it(tmp_path, context, optimisation, trainer_params):
    def slopes(wrap):
        torch.manual_seed(1)
        blocks = [wrap(nn.Sigmoid(), nn.Linear(64, 64)) for _ in range(19)]
        network = nn.Sequential(nn.Linear(3, 64), *blocks, nn.Linear(64, 2))
        inputs = torch.randn(COUNT, 3, generator=torch.Generator().manual_seed(0))
        loader = MemoryBatches(inputs, (inputs[:, 0] > 0).long(), batch_size=BATCH, shuffle=False)
        task = ClassifierTask(network, settings=optimisation(max_epochs=1))
        found = run_fit(
            task,
            Loaders(loader, loader),
            context=context(trainer=trainer_params(diagnostics=True)),
            max_epochs=1,
        ).found["diagnostics"]["network"]
        return found["verdict"], found["first"]["slope"]

    assert slopes(nn.Sequential)[0] == VANISHING
    verdict, found = slopes(Residual)
    assert verdict == HEALTHY
    assert abs(found) < 0.1


def test_exploding_is_called_before_the_loss_is_not_finite(fit, caplog):
    shape = {"hidden": [16] * 10, "norm": "none", "dropout": 0.0}
    caplog.set_level(logging.WARNING)
    with pytest.raises(
        TrainingError, match=r"training loss must be finite, got (nan|inf) at batch"
    ) as failed:
        fit("hot", optimizer="sgd", lr=1.0, clip=0.0, shape=shape, epochs=5, batch=4)
    (warning,) = [r.getMessage() for r in caplog.records if "explode" in r.getMessage()]
    called = int(re.search(r"explode at batch (\d+)", warning)[1])
    failed_at = int(re.search(r"at batch (\d+)", str(failed.value))[1])
    assert called < failed_at
    assert "lower the learning rate" in warning


def test_one_exploding_step_is_remembered(fit):
    def kick(module):
        for group in module.trainer.optimizers[0].param_groups:
            group["lr"] = 50.0

    class Calm(Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            for group in trainer.optimizers[0].param_groups:
                group["lr"] = 1e-3

    result, _ = fit("kick", callbacks=[At(6, kick), Calm()], schedule="constant")
    found = result.found["diagnostics"]["network"]
    assert (found["verdict"], found["exploded_at"]) == (EXPLODING, 6)
    assert found["last"]["verdict"] == HEALTHY


def test_units_that_are_never_positive_are_dead(fit):
    class Kill(Callback):
        def on_train_start(self, trainer, module):
            with torch.no_grad():
                module.network.body[0].bias[:6] = -100.0

    shape = {"norm": "none", "dropout": 0.0}
    result, _ = fit("dead", callbacks=[Kill()], shape=shape)
    found = result.found["diagnostics"]["network"]
    assert found["verdict"] == DEAD
    assert found["last"]["dead_share"] >= 6 / 8
    assert "leaky ReLU" in found["fix"]
    row = result.history.rows[0]
    assert row[f"{LAYERS}/dead_share/000.body.2"] == row["gradients/network/dead_share"]
