"""Every kind of prepared data set is a data module: a user's own trainer takes it."""

from __future__ import annotations

import pytest
import torch
from pytorch_lightning import LightningDataModule, LightningModule, Trainer

from plumbline import artifacts
from plumbline.errors import ArtifactError
from plumbline.training.data_modules.examples import Examples
from plumbline.training.data_modules.gan_images import GanDataModule
from plumbline.training.data_modules.images import ImageDataModule
from plumbline.training.data_modules.tables import TableDataModule
from plumbline.training.data_modules.text import TextDataModule
from plumbline.training.engine.loaders import Batches, MemoryBatches
from tests.prepared_folders import write_image_folder, write_table_folder, write_text_folder


@pytest.fixture
def made(tmp_path):
    return {
        "table": TableDataModule(write_table_folder(tmp_path / "table"), batch_size=16, seed=3),
        "images": ImageDataModule(write_image_folder(tmp_path / "images"), batch_size=16),
        "text": TextDataModule(write_text_folder(tmp_path / "text"), streams=2, length=8, seed=3),
        "gan": GanDataModule(tmp_path / "images", size=16, batch_size=8, steps=5, seed=3),
    }


class Counting(LightningModule):
    """Counts the batches that a trainer gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.training_batches = self.validation_batches = 0

    def training_step(self, batch, batch_idx):
        self.training_batches += 1
        return self.weight.sum()

    def validation_step(self, batch, batch_idx):
        self.validation_batches += 1

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore")  # Lightning's advice on loaders and loggers
@pytest.mark.parametrize("kind", ["table", "images", "text", "gan"])
def test_a_plain_trainer_takes_the_data_of_every_kind(made, kind, tmp_path):
    data, module = made[kind], Counting()
    assert isinstance(data, LightningDataModule)
    trainer = Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
        num_sanity_val_steps=0, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(module, datamodule=data)
    assert module.training_batches == 2 * len(data.train_dataloader())
    validated = 0 if kind == "gan" else 2 * len(data.val_dataloader())
    assert module.validation_batches == validated


def test_the_batches_are_those_of_the_loader_of_its_rows(made):
    data = made["table"]
    loader = MemoryBatches(
        data.train.inputs, data.train.targets, batch_size=16, shuffle=True, seed=3
    )
    for batch, expected in zip(data.train_dataloader(), loader, strict=True):
        assert all(map(torch.equal, batch, expected))
    (rows,) = data.val_dataloader()
    assert torch.equal(rows[0], data.val.inputs)


def test_few_labels_are_a_part_of_the_training_images(made, tmp_path):
    every = made["images"]
    few = ImageDataModule(tmp_path / "images", labelled=True, batch_size=16)
    table = artifacts.read_split_table(tmp_path / "images")
    labelled = int(((table["split"] == "train") & table["labelled"]).sum())
    assert 0 < labelled == len(few.train.targets) < len(every.train.targets)
    assert torch.equal(few.val.inputs, every.val.inputs)
    assert few.signature == [{"name": "images", "dtype": "uint8", "shape": [-1, 1, 16, 16]}]


def test_images_of_several_sizes_need_a_size(made, tmp_path):
    (tmp_path / "images" / "images_32.npy").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"^images: folder must hold images of one size"):
        ImageDataModule(tmp_path / "images", batch_size=16)


class Placed(Batches[torch.Tensor]):
    """Remembers where it was placed."""

    where: torch.device | None = None

    def place(self, device):
        self.where = device

    def __len__(self):
        return 1

    def batches(self, first):
        yield torch.zeros(1)


def test_loaders_are_placed_on_the_device_of_the_trainer_if_there_is_one(made, tmp_path):
    data = made["table"]
    assert data.place(Placed()).where is None
    data.trainer = Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, default_root_dir=tmp_path
    )
    assert data.place(Placed()).where == torch.device("cpu")


def test_examples_can_be_exchanged_before_the_fit(made):
    data = made["table"]
    data.train = Examples(data.train.inputs[:5], data.train.targets[:5], torch.ones(5))
    ((inputs, _, weights),) = data.train_dataloader()
    assert len(inputs) == len(weights) == 5
