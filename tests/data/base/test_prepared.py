from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from plumbline.artifacts import DatasetSchema, read_images, read_split_table
from plumbline.data.base.prepared import PreparedData
from plumbline.errors import ArtifactError, DataError


@pytest.fixture
def small():
    table = pd.DataFrame(
        {
            "sample_id": [f"s{k}" for k in range(6)],
            "split": ["train", "val", "test"] * 2,
            "y": [0, 0, 0, 1, 1, 1],
            "labelled": [True, False, False, False, False, False],
            "group": ["a"] * 6,
        }
    )
    schema = DatasetSchema(
        dataset="images",
        source="toy",
        task="binary",
        classes=("no", "yes"),
        attributes=("group",),
    )
    images = {4: np.arange(96, dtype=np.uint8).reshape(6, 1, 4, 4)}
    return PreparedData(schema=schema, table=table, images=images)


def test_a_written_folder_holds_the_same_data(small, tmp_path):
    small.write(tmp_path / "images")
    assert sorted(p.name for p in (tmp_path / "images").iterdir()) == [
        "images_4.npy", "schema.json", "table.parquet",
    ]  # fmt: skip
    assert DatasetSchema.read(tmp_path / "images") == small.schema
    pd.testing.assert_frame_equal(
        read_split_table(tmp_path / "images"), small.table, check_dtype=False
    )
    np.testing.assert_array_equal(read_images(tmp_path / "images", 4, rows=6), small.images[4])


def test_counts_are_those_of_the_table(small):
    assert small.counts() == {
        f"{split}/{name}": value
        for split in ("train", "val", "test")
        for name, value in (("rows", 2), ("rows/group/a", 2), ("labelled", split == "train"))
    }


def test_images_of_another_shape_are_refused_and_nothing_is_written(small, tmp_path):
    wrong = replace(small, images={4: np.zeros((6, 1, 4, 5), dtype=np.uint8)})
    with pytest.raises(DataError) as error:
        wrong.write(tmp_path / "images")
    assert str(error.value) == (
        "toy: images must be uint8 of shape (6, 1, 4, 4), got uint8 of shape (6, 1, 4, 5)"
    )
    assert not (tmp_path / "images").exists()


def test_a_split_without_a_class_is_refused(small):
    wrong = replace(small, table=small.table[small.table["sample_id"] != "s5"], images={})
    with pytest.raises(DataError) as error:
        wrong.check()
    assert str(error.value) == (
        "toy: class 'yes' must have a sample in every split, got none in test of its 2 (s3, s4); "
        "add samples until it has 3, merge it with another class, or leave it out"
    )


def test_an_entity_that_the_owners_split_divides_is_refused_and_nothing_written(small, tmp_path):
    table = small.table.assign(entity=["a", "b", "c", "a", "c", "c"])
    with pytest.raises(ArtifactError) as caught:
        replace(small, table=table).write(tmp_path / "images")
    assert str(caught.value) == "toy: an entity must be in one split only, got 'c' in two"
    assert not (tmp_path / "images").exists()
