"""Data modules of loaders that are given."""

from __future__ import annotations

from pytorch_lightning import LightningDataModule


class TrainingLoader(LightningDataModule):
    """A training loader alone."""

    def __init__(self, train) -> None:
        super().__init__()
        self.train = train

    def train_dataloader(self):
        return self.train


class Loaders(TrainingLoader):
    """A training and a validation loader."""

    def __init__(self, train, val) -> None:
        super().__init__(train)
        self.val = val

    def val_dataloader(self):
        return self.val
