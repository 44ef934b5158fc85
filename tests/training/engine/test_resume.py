"""Fits that are stopped at any hook resume and end with the bits of a fit without a stop."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from plumbline import artifacts, models
from plumbline.errors import StaleError
from plumbline.models import backbones
from plumbline.params.models import CnnParams, FinetuneParams, FnnParams, Optimisation
from plumbline.params.regularisation import Augmentation, Regularisation
from plumbline.runs import record_files, records
from plumbline.runs.checkpoints import KEPT
from plumbline.runs.fit_context import FitContext
from plumbline.training.engine import factory
from plumbline.training.engine.callbacks import StopAtNonFiniteLoss
from plumbline.training.engine.resume import random_state, set_random_state
from plumbline.training.recipes.adversarial import fit_gan
from plumbline.training.recipes.fitted import FittedModel, portable_weights
from plumbline.training.recipes.images import fit_cnn
from plumbline.training.recipes.language import fit_language_model
from plumbline.training.recipes.tables import fit_fnn
from plumbline.training.recipes.transfer import finetune
from tests.prepared_folders import (
    CNN_OFF,
    FINETUNE_OFF,
    FNN_OFF,
    PLAIN,
    write_image_folder,
    write_table_folder,
    write_text_folder,
)
from tests.training.conftest import OPTIMISATION, TRAINER
from tests.training.recipes import test_adversarial, test_language
from tests.training.recipes.transfer.test_finetune import AUGMENTATION

HOOKS = ["on_train_batch_start", "on_train_batch_end", "on_train_epoch_start", "on_train_epoch_end",
         "on_validation_batch_end", "on_validation_end", "on_train_end"]  # fmt: skip


class Killed(BaseException):
    """Stands for whatever ends a process between two lines of Python."""


class Watch(StopAtNonFiniteLoss):
    """The first of all callbacks: ends the fit at its ``stop``-th hook, and notes the end."""

    def __init__(self, stop: int | None = None) -> None:
        super().__init__("train_toy")
        self.stop, self.count = stop, 0
        self.ends: list[dict[str, Any]] = []

    def note(self, hook: str, trainer: Any) -> None:
        self.count += 1
        if self.stop is not None and self.count >= self.stop:
            raise Killed
        if hook == "on_train_end":
            optimisers = [o.state_dict() for o in trainer.optimizers]
            self.ends.append({"optimisers": optimisers, "random": random_state()})


def watching(name: str) -> Callable[..., None]:
    def hook(self: Watch, trainer: Any, *args: Any) -> None:
        self.note(name, trainer)
        if name == "on_train_batch_end":
            StopAtNonFiniteLoss.on_train_batch_end(self, trainer, *args)

    return hook


for _name in HOOKS:
    setattr(Watch, _name, watching(_name))


@dataclass
class Case:
    """A fit of one kind, and what is known of it after its end."""

    fit: Callable[[FitContext], FittedModel]
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    runs: int = 0

    def start(self, name: str | None = None) -> Attempt:
        self.runs += 1
        return Attempt(self, self.folder / (name or str(self.runs)))


class Attempt:
    """A fit that is begun as often as it takes, each time with new objects."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case, self.folder = case, folder
        self.watch = Watch()
        self.hooks = 0

    def run(self, *, stop: int | None = None, seconds: float = 0.0) -> dict[str, Any] | None:
        """Return the state after the fit, None if it was stopped on the way."""
        # Whatever the state of the generators was: a new process has another one.
        torch.manual_seed(self.hooks)
        self.watch = Watch(stop)
        self.case.monkeypatch.setattr(factory, "StopAtNonFiniteLoss", lambda stage: self.watch)
        runs = records.runs_folder(self.folder)
        found = record_files.read_all(self.folder) if runs.exists() else []
        book = (
            records.RunRecord.reopen(found[0])
            if found
            else records.open_record(self.folder, "train_toy")
        )
        trainer = {**TRAINER, "checkpoint_seconds": seconds}
        context = FitContext(
            stage="train_toy",
            work=self.folder / "work" / "fit",
            seed=7,
            trainer=factory.TrainerParams(**trainer),
            sink=book.metrics,
        )
        try:
            fitted = self.case.fit(context)
        except Killed:
            return None
        finally:
            self.hooks += self.watch.count
        rows = record_files.read_metrics(book.folder)[0]
        return {
            "weights": digest(fitted.network.state_dict()),
            "config": artifacts.dump_json(fitted.config),
            "history": fitted.history.csv(),
            "journal": sorted((row["k"], row["s"], str(row["v"])) for row in rows),
            "random": digest(random_state()),
        }


def digest(value: Any) -> str:
    """A digest of every bit of a nested state."""

    def plain(node: Any) -> Any:
        if isinstance(node, torch.Tensor):
            whole = node.detach().cpu().contiguous()
            return [str(whole.dtype), list(whole.shape),
                    hashlib.sha256(whole.numpy().tobytes()).hexdigest()]  # fmt: skip
        if isinstance(node, dict):
            return {str(key): plain(item) for key, item in node.items()}
        if isinstance(node, (list, tuple)):
            return [plain(item) for item in node]
        return node

    return hashlib.sha256(json.dumps(plain(value), sort_keys=True).encode()).hexdigest()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("data")
    network: Any = models.build(
        "timm", architecture="test_resnet", outputs=3, image_size=32, channels=1, mean=[0.3],
        scale=[0.3], dropout=0.0,
    )  # fmt: skip
    weights = folder / "hub" / "model.safetensors"
    artifacts.write_weights(weights, portable_weights(network.network))
    config = backbones.hub_config(network, classes=("a", "b", "c"))
    artifacts.write_json(folder / "hub" / "config.json", config)
    return {
        "hub": folder / "hub",
        "table": write_table_folder(folder / "table"),
        "images": write_image_folder(folder / "images", count=60),
        "large": write_image_folder(folder / "large", size=32, count=40),
        "text": write_text_folder(folder / "text", count=10, words=6),
    }


def fits(data: dict[str, Path]) -> dict[str, Callable[[FitContext], FittedModel]]:
    def optimisation(**changes: Any) -> dict[str, Any]:
        return {**OPTIMISATION, "batch_size": 24, **changes}

    fnn = FnnParams(
        **FNN_OFF,
        classification=PLAIN,
        hidden=(4,), activation="relu", dropout=0.3, norm="batch", init="default",
        optimisation=optimisation(max_epochs=3, patience=3),
    )  # fmt: skip
    cnn = CnnParams(
        **CNN_OFF,
        classification=PLAIN,
        architecture="convnet", image_size=16, channels=(4,), feature_dim=4, dropout=0.2,
        optimisation=optimisation(max_epochs=5, patience=1, lr=0.5),  # gets worse: stops early
    )  # fmt: skip
    rnn = test_language.settings(
        cell="lstm", dropout=0.2, optimisation={"max_epochs": 2, "patience": 2}
    )
    gan = test_adversarial.settings(steps=9, log_every=4)
    tune = FinetuneParams(
        **FINETUNE_OFF,
        classification=PLAIN,
        backbone=f"local-dir:{data['hub']}", image_size=32, head_dropout=0.1,
        memory_format="channels_last",
        augmentation=AUGMENTATION, probe_views=2, backbone_lr_scale=0.5,
        optimisation=optimisation(max_epochs=2, patience=2, batch_size=6),
    )  # fmt: skip
    opening = tune.model_copy(  # one stage more in each of the six epochs
        update={
            "ema_decay": 0.7,
            "cutmix": 1.0,
            "strategies": tune.strategies.model_copy(update={"unfreeze_every": 1}),
            "optimisation": Optimisation(**optimisation(max_epochs=6, patience=6, batch_size=6)),
        }
    )
    slowly = fnn.model_copy(
        update={
            "optimisation": Optimisation(
                **optimisation(max_epochs=2, patience=2, batch_size=6, accumulate=2)
            )
        }
    )
    every = {"input_noise": 0.1, "mixup": 0.3, "prune": 0.3, "prune_epochs": 2}
    changes = {"drop_connect": 0.2, "regularisation": Regularisation(**every)}
    techniques = fnn.model_copy(
        update={
            **changes,
            "optimisation": Optimisation(
                **optimisation(l1=0.001, label_smoothing=0.1, schedule="step")
            ),
        }
    )
    moved = {"spatial_dropout": 0.2, "augmentation": Augmentation(**AUGMENTATION)}
    image_techniques = cnn.model_copy(update={**changes, **moved})
    return {
        "techniques": lambda context: fit_fnn(techniques, data=data["table"], context=context),
        "image techniques": lambda context: fit_cnn(
            image_techniques, data=data["images"], context=context
        ),
        "fnn": lambda context: fit_fnn(fnn, data=data["table"], context=context),
        "accumulated": lambda context: fit_fnn(slowly, data=data["table"], context=context),
        "cnn": lambda context: fit_cnn(cnn, data=data["images"], context=context),
        "rnn": lambda context: fit_language_model(
            rnn, data=data["text"], context=context, architecture="rnn"
        ),
        "gan": lambda context: fit_gan(gan, data=data["images"], context=context),
        **{
            strategy: partial(_tune, tuned, strategy, data["large"])
            for strategy, tuned in (
                ("full", tune),
                ("progressive", opening),
                ("adapters", opening.model_copy(update={"cutmix": 0.0, "mixup": 0.5})),
            )
        },
    }


def _tune(
    parameters: FinetuneParams, strategy: str, data: Path, context: FitContext
) -> FittedModel:
    return finetune(parameters, strategy=strategy, data=data, context=context)


@pytest.fixture
def case(request, data, tmp_path, monkeypatch):
    def make(name: str) -> Case:
        return Case(fits(data)[name], tmp_path, monkeypatch)

    return make


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "every"),
    [("fnn", 2), ("accumulated", 3), ("cnn", 3), ("rnn", 1), ("gan", 1), ("progressive", 2)],
)
def test_a_fit_stopped_at_any_hook_ends_with_the_same_bits(case, kind, every):
    made = case(kind)
    straight = made.start()
    expected = straight.run()
    for stop in range(1, straight.hooks + 1, every):
        attempt = made.start()
        assert attempt.run(stop=stop) is None
        assert attempt.run() == expected, stop
        assert digest(attempt.watch.ends[-1]) == digest(straight.watch.ends[-1]), stop


@pytest.mark.parametrize(
    "kind",
    ["techniques", "image techniques", "cnn", "rnn", "gan", "full", "progressive", "adapters"],
)
def test_a_fit_stopped_again_and_again_ends_with_the_same_bits(case, kind):
    made = case(kind)
    straight = made.start()
    expected = straight.run()
    attempt, found, tries = made.start(), None, 0
    while found is None:
        tries += 1
        found = attempt.run(stop=4 + 3 * tries)  # a validation is not cut in pieces
    assert tries > 2
    assert found == expected
    assert digest(attempt.watch.ends[-1]) == digest(straight.watch.ends[-1])


def test_checkpoints_change_no_bit(case):
    for kind in ("fnn", "cnn", "rnn", "gan"):
        made = case(kind)
        often, never = made.start(f"{kind}-often"), made.start(f"{kind}-never")
        assert often.run(seconds=0) == never.run(seconds=1e9)
        assert digest(often.watch.ends) == digest(never.watch.ends)
        assert len(list((never.folder / "work/fit").iterdir())) == 1  # the result alone


def test_a_torn_checkpoint_is_left_for_the_one_before_it(case, caplog):
    made = case("gan")
    expected = made.start().run()
    for spoil in (truncate, zero_tail, flip):
        attempt = made.start()
        attempt.run(stop=12)
        newest = max((attempt.folder / "work/fit").glob("0*.ckpt"))
        spoil(newest)
        caplog.clear()
        assert attempt.run() == expected
        assert caplog.messages[-1] == f"fit/{newest.name}: checkpoint is damaged and not used"


def test_a_fit_whose_checkpoints_are_all_torn_begins_anew(case):
    made = case("gan")
    expected = made.start().run()
    attempt = made.start()
    attempt.run(stop=12)
    files = list((attempt.folder / "work/fit").glob("0*.ckpt"))
    assert len(files) == KEPT
    for file in files:
        truncate(file)
    assert attempt.run() == expected


def test_a_fit_that_has_ended_is_not_run_again(case):
    made = case("cnn")
    attempt = made.start()
    expected = attempt.run()
    assert attempt.run() == expected
    assert attempt.watch.count == 0


def test_a_torn_result_is_made_again(case):
    made = case("gan")
    attempt = made.start()
    expected = attempt.run()
    (result,) = (attempt.folder / "work/fit").iterdir()
    truncate(result)
    assert attempt.run() == expected
    assert attempt.watch.count > 0


def test_inputs_that_changed_stop_a_fit_at_its_next_checkpoint(data, tmp_path):
    def changed() -> None:
        raise StaleError("train_toy: dependencies must not change, got x; run it again")

    context = FitContext(
        stage="train_toy", work=tmp_path / "fit", seed=7, check=changed,
        trainer=factory.TrainerParams(**{**TRAINER, "checkpoint_seconds": 0}),
    )  # fmt: skip
    with pytest.raises(StaleError):
        fits(data)["gan"](context)
    assert not (tmp_path / "fit").exists()


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def zero_tail(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-100] + bytes(100))


def flip(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 3] ^= 1
    path.write_bytes(whole)


def test_random_states_of_gpus_that_are_not_there_are_left_alone():
    state = random_state()
    wanted = torch.rand(3)
    set_random_state({**state, "cuda": [torch.get_rng_state()] * (torch.cuda.device_count() + 1)})
    assert torch.rand(3).equal(wanted)
