import gzip
import struct
import zipfile

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from plumbline import names, params
from plumbline.artifacts import DatasetSchema
from plumbline.data.base.entities import PSEUDONYM
from plumbline.data.base.sources import SOURCES, check_user_data
from plumbline.data.images.prepare import images_from_raw, prepare
from plumbline.data.images.raw import RawImages
from plumbline.data.images.sources import LOADERS
from plumbline.errors import DataError, ParamsError
from plumbline.params.apply import merge
from plumbline.params.data import CelebaImages, ImageData
from tests.conftest import ROOT
from tests.data.folders import own_folder

PARAMETERS = params.load(ROOT / "params.yaml").data_images


def chosen(source, **changes):
    few = {"source": source, "sizes": (8, 16), "labels_per_class": 2}
    few["celeba"] = CelebaImages(target="Smiling", attributes=("Male", "Young"))
    return PARAMETERS.model_copy(update={**few, **changes})


def write_idx(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    head = b"\0\0\x08" + bytes([values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(gzip.compress(head + values.astype(np.uint8).tobytes()))


def write_mnist(root, source, *, parts=("train", "t10k"), count=200):
    rng = np.random.default_rng(0)
    for part in parts:
        folder = root / names.RAW / source
        pixels = rng.integers(0, 256, size=(count, 28, 28))
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", pixels)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", np.arange(count) % 10)


def test_every_image_source_of_the_registry_and_of_the_parameters_can_be_read():
    registered = {name for name, source in SOURCES.items() if source.dataset == names.IMAGES}
    assert set(LOADERS) == {*registered, "folder"}
    allowed = ImageData.model_fields["source"].annotation
    assert set(allowed.__args__) == set(LOADERS)


@pytest.mark.parametrize(
    ("source", "measured"),
    [("mnist", ("thickness", "slant")), ("fashion_mnist", ("brightness",))],
)
def test_the_official_test_part_stays_the_test_split(tmp_path, source, measured):
    write_mnist(tmp_path, source)
    prepared = prepare(chosen(source), root=tmp_path, seed=1)
    prepared.check()
    table = prepared.table
    part = table["sample_id"].str.partition("-")[0]
    assert set(table.loc[part == "t10k", "split"]) == {"test"}
    assert set(table.loc[part == "train", "split"]) == {"train", "val"}
    assert (table["split"] == "val").sum() == 40
    assert prepared.schema.attributes == measured
    assert prepared.images[16].shape == (400, 1, 16, 16)


def test_the_test_part_alone_is_split_anew(tmp_path):
    write_mnist(tmp_path, "mnist_t10k", parts=("t10k",))
    prepared = prepare(chosen("mnist_t10k"), root=tmp_path, seed=1)
    assert prepared.table["split"].value_counts().to_dict() == {
        "train": 110, "test": 50, "val": 40,
    }  # fmt: skip


def test_of_a_large_source_so_many_are_taken_by_their_ids(tmp_path):
    write_mnist(tmp_path, "mnist")
    few = prepare(chosen("mnist", max_images=150), root=tmp_path, seed=1).table["sample_id"]
    more = prepare(chosen("mnist", max_images=250), root=tmp_path, seed=1).table["sample_id"]
    assert len(few) == 150
    assert set(few) < set(more)


def test_cifars_binary_files_become_colour_images(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / names.RAW / "cifar10"
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        codes = np.arange(30, dtype=np.uint8) % 10
        planes = rng.integers(0, 256, size=(30, 3072), dtype=np.uint8)
        (folder / f"{name}.bin").write_bytes(np.hstack([codes[:, None], planes]).tobytes())
    prepared = prepare(chosen("cifar10"), root=tmp_path, seed=1)
    prepared.check()
    assert prepared.images[8].shape == (180, 3, 8, 8)
    assert (prepared.table["split"] == "test").sum() == 30
    assert prepared.schema.attributes == ("brightness",)


def write_celeba(root, count=60):
    folder = root / names.RAW / "celeba"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    ids = [f"{i:06d}.jpg" for i in range(1, count + 1)]
    signs = rng.choice(["-1", "1"], size=(count, 3))
    lines = [" ".join([name, *row]) for name, row in zip(ids, signs, strict=True)]
    head = f"{count}\nMale Smiling Young\n"
    (folder / "list_attr_celeba.txt").write_text(head + "\n".join(lines) + "\n")
    parts = [f"{name} {i % 3}" for i, name in enumerate(ids)]
    (folder / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    people = [f"{name} {i % 15}" for i, name in enumerate(ids)]
    (folder / "identity_CelebA.txt").write_text("\n".join(people) + "\n")
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        for name in ids:
            pixels = rng.integers(0, 256, size=(22, 18, 3), dtype=np.uint8)
            with archive.open(f"img_align_celeba/{name}", "w") as sink:
                Image.fromarray(pixels).save(sink, format="PNG")
    return folder


def test_celebas_own_partition_is_the_split_and_its_attributes_are_groups(tmp_path):
    write_celeba(tmp_path)
    prepared = prepare(chosen("celeba"), root=tmp_path, seed=1)
    table = prepared.table
    assert table["split"].tolist() == ["train", "val", "test"] * 20
    assert prepared.schema.attributes == ("Male", "Young", "brightness")
    assert (prepared.schema.task, prepared.schema.positive) == ("binary", "Smiling")
    assert table["entity"].nunique() == 15
    assert set(table["Male"]) == {"yes", "no"}


def test_celeba_without_the_attribute_or_with_a_broken_picture_is_refused(tmp_path):
    folder = write_celeba(tmp_path)
    other = CelebaImages(target="Happy", attributes=())
    with pytest.raises(DataError) as caught:
        prepare(chosen("celeba", celeba=other), root=tmp_path, seed=1)
    assert str(caught.value) == (
        "celeba: attribute must be one of Male, Smiling, Young, got 'Happy'"
    )
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        for i in range(1, 61):
            archive.writestr(f"img_align_celeba/{i:06d}.jpg", b"broken")
    with pytest.raises(DataError, match="celeba: every image must be readable, got 60 of 60"):
        prepare(chosen("celeba"), root=tmp_path, seed=1)


# --- a folder of one's own -----------------------------------------------------------------------


def write_folder(root, *, people=30):
    """Two pictures per person, one of each class, with the person's group."""
    folder = root / "pictures"
    rows = []
    rng = np.random.default_rng(0)
    for person in range(people):
        for label in ("dark", "light"):
            name = f"{label}/{person:02d}.png"
            (folder / label).mkdir(parents=True, exist_ok=True)
            level = 60 if label == "dark" else 190
            pixels = rng.integers(level - 40, level + 40, size=(20, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name)
            rows.append((name, label, "north" if person % 3 else "south", f"p{person}"))
    table = pd.DataFrame(rows, columns=["path", "label", "region", "person"])
    table.to_csv(folder / "about.csv", index=False)
    return folder


def own(**changes):
    columns = {
        "path": "path", "label": "label", "attributes": ["region"], "entity": "person",
        "split": None,
    }  # fmt: skip
    settings = {"path": "pictures", "table": "about.csv", "columns": columns, **changes}
    return chosen("folder", folder=own_folder(**settings))


@pytest.mark.parametrize("source", ["folder", "celeba"])
def test_a_source_that_is_not_described_is_refused(source):
    layer = {"data_images": {"source": source}}
    raw = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    with pytest.raises(ParamsError) as caught:
        params.check(merge(raw, layer))
    assert str(caught.value) == (
        f"params.yaml: data_images: {source} must describe the images when source is {source}, "
        "got nothing"
    )


def test_a_person_of_a_folder_is_never_in_two_splits(tmp_path):
    write_folder(tmp_path)
    prepared = prepare(own(), root=tmp_path, seed=1)
    prepared.check()
    assert (prepared.table.groupby("entity")["split"].nunique() == 1).all()
    assert prepared.schema.attributes == ("region", "brightness")
    assert prepared.schema.classes == ("dark", "light")
    assert prepared.images[8].shape == (60, 3, 8, 8)
    assert prepared.schema.about["entity"] == f"column person of about.csv, {PSEUDONYM}"
    # Of "dark/00.png" to "light/29.png": numbered as they come, and nobody is named.
    assert prepared.table["entity"].tolist() == [f"entity-{k:07d}" for k in range(30)] * 2


def test_a_folder_with_few_images_of_a_class_is_prepared_and_the_class_is_named(tmp_path):
    folder = write_folder(tmp_path)
    table = pd.read_csv(folder / "about.csv")
    dark = table["label"] == "dark"
    table[dark | (table.index % 3 == 0)].to_csv(folder / "about.csv", index=False)
    parameters = own().model_copy(update={"labels_per_class": 10})
    prepared = prepare(parameters, root=tmp_path, seed=1)
    prepared.check()
    train = prepared.table[prepared.table["split"] == names.TRAIN]
    light = int((train["y"] == 1).sum())
    assert 0 < light < 10
    assert prepared.schema.about["short_of_labels"] == {"light": light}
    assert train.groupby("y")["labelled"].sum().tolist() == [10, light]


def test_a_region_of_one_person_is_absent_from_two_splits_and_described(tmp_path):
    folder = write_folder(tmp_path)
    table = pd.read_csv(folder / "about.csv")
    table.loc[table["person"] == "p7", "region"] = "island"
    table.to_csv(folder / "about.csv", index=False)
    prepared = prepare(own(), root=tmp_path, seed=1)
    prepared.write(tmp_path / "out")
    (where,) = set(prepared.table.loc[prepared.table["region"] == "island", "split"])
    absent = [split for split in names.SPLITS if split != where]
    assert DatasetSchema.read(tmp_path / "out").about["absent_groups"]["region"] == {
        "island": {"rows": 2, "absent_from": absent}
    }


def test_a_split_of_the_owner_that_divides_a_person_is_refused_with_its_images(tmp_path):
    folder = write_folder(tmp_path)
    table = pd.read_csv(folder / "about.csv")
    table["part"] = ["train" if label == "dark" else "test" for label in table["label"]]
    table.to_csv(folder / "about.csv", index=False)
    columns = {**own().folder.columns.model_dump(), "split": "part"}
    with pytest.raises(DataError) as caught:
        prepare(own(columns=columns), root=tmp_path, seed=1)
    assert str(caught.value) == (
        "folder: an entity must be in one split only, got 60 images of entities in two: "
        "dark/00.png, dark/01.png, dark/02.png, dark/03.png, dark/04.png, …; correct the split of "
        "the source"
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_no_byte(tmp_path, workers):
    write_folder(tmp_path)
    prepare(own(), root=tmp_path, seed=1).write(tmp_path / "one")
    parameters = own().model_copy(update={"workers": workers})
    prepare(parameters, root=tmp_path, seed=1).write(tmp_path / "other")
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "other" / file.name).read_bytes(), file.name


def test_broken_pictures_are_refused_or_skipped_counted_and_named(tmp_path):
    folder = write_folder(tmp_path)
    (folder / "dark/03.png").write_bytes(b"")
    (folder / "light/07.png").write_bytes(b"no picture")
    with pytest.raises(DataError) as caught:
        prepare(own(), root=tmp_path, seed=1)
    assert str(caught.value) == (
        "folder: every image must be readable, got 2 of 60 that are not: dark/03.png (empty file); "
        "light/07.png (no picture of a known format); correct or remove them, or set "
        "data_images.folder.broken to skip"
    )
    prepared = prepare(own(broken="skip"), root=tmp_path, seed=1)
    prepared.check()
    assert len(prepared.table) == len(prepared.images[8]) == 58
    assert prepared.schema.about["broken_images"] == 2
    assert prepared.schema.about["broken_image_names"][0] == "dark/03.png: empty file"
    ids = list(prepared.table["sample_id"])
    with Image.open(folder / ids[40]) as picture:  # rows and pictures still belong together
        level = np.asarray(picture).mean()
    assert abs(prepared.images[8][40].mean() - level) < 8


def test_a_class_whose_pictures_are_all_broken_does_not_vanish(tmp_path):
    folder = write_folder(tmp_path)
    for path in (folder / "dark").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError) as caught:
        prepare(own(broken="skip"), root=tmp_path, seed=1)
    assert str(caught.value) == (
        "folder: every class must have an image that can be read, got none of 'dark'; correct "
        "them, or leave the class out"
    )


def test_a_folder_that_changed_is_refused_with_its_new_digest(tmp_path):
    folder = write_folder(tmp_path)
    with pytest.raises(DataError, match=r"must have sha256 , got [0-9a-f]{64}"):
        check_user_data("folder", folder, "")


def test_images_without_a_measure_are_refused():
    raw = RawImages(
        ids=[f"i{k}" for k in range(4)],
        codes=np.array([0, 1, 0, 1]),
        classes=("a", "b"),
        images={8: np.zeros((4, 3, 8, 8), np.uint8)},
        groups=pd.DataFrame(index=range(4)),
        measures=(),
        about={},
    )
    with pytest.raises(DataError) as caught:
        images_from_raw(raw, parameters=chosen("folder"))
    assert str(caught.value) == (
        "folder: images must have a measure, by which a generator of them can be audited, got "
        "none; name one of thickness, slant, brightness"
    )
