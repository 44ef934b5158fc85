"""One LightningDataModule per kind of prepared data set."""
