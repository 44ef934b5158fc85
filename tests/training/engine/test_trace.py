"""Real fits of every kind of network are traced, bent at one step, and the bend is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback

from plumbline import artifacts
from plumbline.artifacts import traces
from plumbline.errors import TrainingError
from plumbline.models import build
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.classify import ClassifierTask
from plumbline.training.data_modules.examples import Examples
from plumbline.training.data_modules.gan_images import StepBatches
from plumbline.training.data_modules.text import StreamBatches, read_documents
from plumbline.training.engine.loaders import MemoryBatches
from plumbline.training.engine.trace import tensor_digest
from plumbline.training.recipes.adversarial import fit_gan
from plumbline.training.recipes.base import run_fit
from plumbline.training.recipes.language import fit_language_model
from plumbline.verify import divergence
from tests.prepared_folders import write_image_folder, write_text_folder
from tests.training.loaders import Loaders
from tests.training.recipes import test_adversarial, test_language

COUNT, BATCH, EPOCHS = 40, 10, 3
STEP = 6  # in the second epoch


class At(Callback):
    """Do something before the batch of a step, counted from 1."""

    def __init__(self, step: int, act) -> None:
        self.step, self.act, self.seen = step, act, 0

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        self.seen += 1
        if self.seen == self.step:
            self.act(trainer, module)


class Swapped(MemoryBatches):
    """Two samples of one batch change places."""

    def order(self):
        order = super().order()
        if self.epoch == (STEP - 1) // 4:
            first = (STEP - 1) % 4 * BATCH
            order[[first, first + 1]] = order[[first + 1, first]]
        return order


@pytest.fixture
def fit(tmp_path, context, optimisation, trainer_params):
    """Fit a small network with dropout and batch normalisation; return trace and weights."""
    rng = np.random.default_rng(0)
    inputs = torch.tensor(rng.normal(size=(COUNT, 3)), dtype=torch.float32)
    examples = Examples(inputs, (inputs[:, 0] > 0).long())

    def run(name: str, *, trace: bool = True, loader=MemoryBatches, callbacks=(), **changes):
        torch.manual_seed(5)
        network = build(
            "fnn", inputs=3, outputs=2, hidden=[8, 8], activation="relu", dropout=0.2,
            norm="batch", init="he_normal",
        )  # fmt: skip
        network.standardise.fit(inputs)
        path = tmp_path / f"{name}.jsonl" if trace else None
        settings = optimisation(max_epochs=EPOCHS, **changes)
        batches = loader(examples.inputs, examples.targets, batch_size=BATCH, shuffle=True, seed=7)
        held_out = MemoryBatches(examples.inputs, examples.targets, batch_size=COUNT, shuffle=False)
        run_fit(
            ClassifierTask(network, settings=settings),
            Loaders(batches, held_out),
            context=context(
                work=tmp_path / name / "fit",
                trace=path,
                trainer=trainer_params(checkpoint_seconds=0),
            ),
            max_epochs=EPOCHS,
            gradient_clip=0.5,
            callbacks=callbacks,
        )
        return (traces.read(path) if trace else {}), network.state_dict()

    return run


def test_a_traced_fit_has_the_bits_of_an_untraced_one(fit):
    _, plain = fit("plain", trace=False)
    _, traced = fit("traced")
    assert {k: tensor_digest(v) for k, v in plain.items()} == {
        k: tensor_digest(v) for k, v in traced.items()
    }


def test_equal_fits_have_equal_traces_of_every_step(fit):
    (first, _), (second, _) = fit("first"), fit("second")
    assert divergence.first_divergence(first, second) is None
    assert [line["step"] for line in first["fit"]] == list(range(1, 13))
    epoch = [number for line in first["fit"][:4] for number in line["samples"]]
    assert sorted(epoch) == list(range(COUNT))


def test_what_a_line_says_is_what_torch_computes(fit):
    seen = {}

    def look(trainer, module):
        seen["weight"] = module.network.head.weight.detach().clone()
        seen["samples"] = trainer.train_dataloader.chosen.tolist()

    trace, _ = fit("run", callbacks=[At(1, look)])
    line = trace["fit"][0]
    assert line["weights"]["network.head.weight"] == tensor_digest(seen["weight"])
    assert line["samples"] == seen["samples"]
    norms = [float.fromhex(norm) for _, norm in line["gradient"].values()]
    assert float.fromhex(line["gradient_norm"]) == pytest.approx(np.linalg.norm(norms), rel=1e-12)
    # Before clipping to 0.5, and from the head backwards.
    assert float.fromhex(line["gradient_norm"]) > 0.5
    assert list(line["gradient"])[:2] == ["network.head.bias", "network.head.weight"]


def test_two_samples_that_change_places_are_found_in_their_batch(fit):
    (straight, _), (swapped, _) = fit("straight"), fit("swapped", loader=Swapped)
    found = divergence.first_divergence(straight, swapped)
    assert (found.step, found.cause.name) == (STEP, "samples")
    assert [d.name for d in found.cause.differences] == ["0", "1"]
    one, two = found.cause.differences
    assert (one.first, one.second) == (two.second, two.first)


def test_one_weight_that_is_bent_between_two_steps_is_named(fit):
    def bend(trainer, module):
        with torch.no_grad():
            weight = module.network.head.weight
            weight[0, 0] = torch.nextafter(weight[0, 0], torch.tensor(torch.inf))

    class Bend(Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            if trainer.fit_loop.total_batch_idx + 1 == STEP - 1:
                bend(trainer, module)

    (straight, _), (bent, _) = fit("straight"), fit("bent", callbacks=[Bend()])
    found = divergence.first_divergence(straight, bent)
    assert (found.step, found.cause.name) == (STEP, "weights")
    assert [d.name for d in found.cause.differences] == ["network.head.weight"]


def test_another_learning_rate_shows_in_the_weights_of_the_next_step(fit):
    def change(trainer, module):
        for group in trainer.optimizers[0].param_groups:
            group["lr"] *= 1.5

    (straight, _), (bent, _) = fit("straight"), fit("bent", callbacks=[At(STEP, change)])
    found = divergence.first_divergence(straight, bent)
    assert (found.step, found.cause.name) == (STEP + 1, "weights")
    assert {"network.head.weight", "network.head.bias"} < {d.name for d in found.cause.differences}
    assert "so did the learning rate" in divergence.describe(found)


def test_a_draw_too_many_is_found_as_random_numbers(fit):
    class Draw(Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            if trainer.fit_loop.total_batch_idx + 1 == STEP:
                torch.rand(1)

    (straight, _), (drawn, _) = fit("straight"), fit("drawn", callbacks=[Draw()])
    found = divergence.first_divergence(straight, drawn)
    assert (found.step, found.cause.name) == (STEP + 1, "random")


def test_inputs_of_equal_samples_are_told_from_their_order(fit):
    class Noisy(MemoryBatches):
        def batches(self, first):
            for index, (inputs, targets) in enumerate(super().batches(first)):
                yield inputs + (self.epoch == 1 and index == 1), targets

    (straight, _), (noisy, _) = fit("straight"), fit("noisy", loader=Noisy)
    found = divergence.first_divergence(straight, noisy)
    assert (found.step, found.cause.name) == (STEP, "inputs")
    assert [d.name for d in found.cause.differences] == ["0"]


def test_another_smoothing_of_labels_is_found_in_the_loss(fit):
    (straight, _), (smooth, _) = fit("straight"), fit("smooth", label_smoothing=0.1)
    found = divergence.first_divergence(straight, smooth)
    assert (found.step, found.cause.name) == (1, "loss")


def test_the_step_of_a_loss_that_is_not_finite_is_in_the_trace(fit, tmp_path):
    def spoil(trainer, module):
        with torch.no_grad():
            module.network.head.bias.fill_(float("nan"))

    with pytest.raises(TrainingError):
        fit("nan", callbacks=[At(STEP, spoil)])
    last = traces.read(tmp_path / "nan.jsonl")["fit"][-1]
    assert (last["step"], last["loss"]["loss"]) == (STEP, "nan")


class StopError(Exception):
    pass


@pytest.mark.parametrize("step", [1, 3, 4, 5, STEP, 9, 12])
def test_a_resumed_fit_continues_the_chain_of_a_straight_one(fit, step, tmp_path):
    straight, weights = fit("straight")

    def stop(trainer, module):
        raise StopError

    with pytest.raises(StopError):
        fit("stopped", callbacks=[At(step, stop)])
    path = tmp_path / "stopped.jsonl"
    with path.open("ab") as stream:  # torn by the kill
        stream.write(b'{"fit":"fit","st')
    resumed, found = fit("stopped")
    assert resumed == straight
    assert {k: tensor_digest(v) for k, v in found.items()} == {
        k: tensor_digest(v) for k, v in weights.items()
    }


def test_the_documents_of_every_chunk_of_a_text_are_traced(tmp_path):
    data = write_text_folder(tmp_path / "text")
    parameters = test_language.settings(dropout=0.1, layers=2, optimisation={"max_epochs": 2})
    found = {}
    for name in ("first", "second"):
        context = place(tmp_path, name, "train@rnn")
        fit_language_model(parameters, data=data, context=context, architecture="rnn")
        found[name] = traces.read(tmp_path / f"{name}.jsonl")
    assert divergence.first_divergence(found["first"], found["second"]) is None
    documents = read_documents(data, artifacts.read_vocabulary(data))["train"]
    count = sum(-(-len(document) // 16) for document in documents)
    epoch = found["first"]["fit"][: len(found["first"]["fit"]) // 2]
    read = [number for line in epoch for number in line["samples"] if number >= 0]
    assert len(read) == count
    assert set(read) == set(range(len(documents)))


def test_both_updates_of_a_generator_and_its_judge_are_traced(tmp_path):
    data = write_image_folder(tmp_path / "images")
    parameters = test_adversarial.settings(steps=6)
    found = {}
    for name in ("first", "second"):
        fit_gan(parameters, data=data, context=place(tmp_path, name, "train_gan"))
        found[name] = traces.read(tmp_path / f"{name}.jsonl")["fit"]
    assert divergence.first_divergence(*({"fit": lines} for lines in found.values())) is None
    owners = [{name.split(".")[0] for name in line["gradient"]} for line in found["first"]]
    assert owners == [{"discriminator"}, {"discriminator", "generator"}] * 3
    assert set(found["first"][1]["loss"]) == {
        "discriminator_loss", "generator_loss", "real_score", "fake_score",
    }  # fmt: skip
    assert any(name.startswith("average.") for name in found["first"][0]["weights"])


@pytest.mark.parametrize(
    "loader",
    [
        lambda: MemoryBatches(torch.arange(10.0), torch.arange(10), batch_size=4, shuffle=True),
        lambda: StepBatches(
            Examples(torch.arange(10, dtype=torch.uint8), torch.arange(10)),
            batch_size=4, steps=5, seed=1,
        ),
    ],
)  # fmt: skip
def test_a_loader_names_the_samples_it_gave_out_last(loader):
    loader = loader()
    assert loader.chosen is None
    for _, targets in loader:
        assert loader.chosen.tolist() == targets.tolist()


def test_the_documents_of_a_chunk_are_those_whose_characters_it_holds():
    documents = [np.full(n, code) for code, n in enumerate([5, 9, 3, 7, 2])]
    loader = StreamBatches(documents, streams=2, length=4, begin=9, shuffle=True, seed=3)
    for chunk in loader:
        for stream, number in enumerate(loader.chosen.tolist()):
            held = set(chunk.targets[:, stream].tolist()) - {-100}
            assert held == (set() if number < 0 else {number})


def test_digests_tell_types_and_shapes_apart_but_not_layouts():
    plain = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert tensor_digest(plain) == tensor_digest(plain.to(memory_format=torch.channels_last))
    others = [plain.double(), plain.reshape(2, 12), plain.bfloat16(), -plain, plain.bool()]
    assert len({tensor_digest(value) for value in [plain, *others]}) == 6
    assert tensor_digest(torch.zeros(())) != tensor_digest(-torch.zeros(()))


def place(folder: Path, name: str, stage: str) -> FitContext:
    return FitContext(
        stage=stage,
        work=folder / name / "fit",
        seed=3,
        trainer=test_language.TRAINER,
        trace=folder / f"{name}.jsonl",
    )
