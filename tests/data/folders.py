"""Parameters of a folder of images: those of an example, by default with subfolders as classes."""

import yaml

from plumbline.params.own_data import FolderImages
from tests.conftest import ROOT


def own_folder(**changes):
    """Return the example's parameters without a table, with ``changes``."""
    example = yaml.safe_load((ROOT / "examples/clothing_small.yaml").read_text(encoding="utf-8"))
    columns = {**example["data_images"]["folder"]["columns"], "split": None}
    layer = {"table": None, "columns": columns, **changes}
    return FolderImages.model_validate(example["data_images"]["folder"] | layer)
