"""Pictures of the laboratory: shapes, classes, and splits that keep entities together."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from plumbline.errors import ParamsError
from plumbline.studies.transfer import pictures


def test_digits_are_scikit_learns_with_tertiles_of_style():
    found = pictures.load("digits", seed=0)
    assert found.images.shape == (1797, 1, 32, 32)
    assert found.images.dtype == np.uint8
    assert set(found.groups) == {"thickness", "slant"}
    counts = np.unique(found.groups["thickness"], return_counts=True)[1]
    assert counts.tolist() == [599, 599, 599]


def test_new_characters_are_none_of_the_glyphs_and_depend_on_the_seed():
    found, again, other = (pictures.load("new_characters", seed=s, size=16) for s in (1, 1, 2))
    assert found.images.shape == (len(pictures.NEW_CHARACTERS) * 20, 1, 16, 16)
    assert not set(pictures.NEW_CHARACTERS) & set(pictures.prepare.CHARACTERS)
    assert np.array_equal(found.images, again.images)
    assert not np.array_equal(found.images, other.images)
    assert np.array_equal(np.bincount(found.targets), [20] * len(found.classes))


def test_a_split_takes_a_share_of_each_class():
    found = pictures.Pictures(
        np.zeros((60, 1, 2, 2), np.uint8), np.repeat([0, 1], [20, 40]), ("a", "b")
    )
    train, test = found.split(0.25, seed=3)
    assert sorted([*train, *test]) == list(range(60))
    assert np.bincount(found.targets[test]).tolist() == [5, 10]
    assert not np.array_equal(test, found.split(0.25, seed=4)[1])


def test_a_split_keeps_the_pictures_of_a_person_together():
    people = np.arange(30) // 2
    found = pictures.Pictures(
        np.zeros((30, 1, 2, 2), np.uint8), np.tile([0, 1], 15), ("a", "b"), entities=people
    )
    train, test = found.split(0.2, seed=0)
    assert not set(people[train]) & set(people[test])
    assert len(test) == 6


def test_omniglot_is_light_ink_with_its_alphabet(tmp_path):
    picture = Image.new("1", (8, 8), 1)
    picture.putpixel((3, 3), 0)
    sink = io.BytesIO()
    picture.save(sink, format="PNG")
    with zipfile.ZipFile(tmp_path / "images_background_small1.zip", "w") as files:
        for place in ("Greek/character01/1_01.png", "Korean/character02/2_01.png"):
            files.writestr(f"images_background_small1/{place}", sink.getvalue())
    found = pictures.load("omniglot", tmp_path, seed=0, size=8)
    assert found.classes == ("Greek/character01", "Korean/character02")
    assert found.groups["alphabet"].tolist() == ["Greek", "Korean"]
    assert found.images[0, 0, 3, 3] == 255
    assert found.images.sum() == 2 * 255


def test_mnist_is_padded_to_32_pixels(tmp_path):
    drawn = np.full((3, 28, 28), 7, np.uint8)
    for name, header, values in (
        ("images-idx3", struct.pack(">IIII", 0x803, 3, 28, 28), drawn.tobytes()),
        ("labels-idx1", struct.pack(">II", 0x801, 3), bytes([0, 9, 4])),
    ):
        (tmp_path / f"t10k-{name}-ubyte.gz").write_bytes(gzip.compress(header + values))
    found = pictures.load("mnist", tmp_path, seed=0)
    assert found.targets.tolist() == [0, 9, 4]
    assert np.array_equal(found.images[:, 0, 2:30, 2:30], drawn)
    assert found.images.sum() == drawn.sum()


def test_faces_and_clothing_are_read_from_their_folders(tmp_path):
    for path in ("neutral/1.jpg", "smiling/1.jpg", "short112/train/hat/a.jpg",
                 "short112/validation/shoes/b.jpg"):  # fmt: skip
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 12), (200, 10, 10)).save(tmp_path / path)
    (tmp_path / "attributes.csv").write_text(
        "path,person,smiling,age,gender,ethnicity\nneutral/1.jpg,001,0,,female,white\n"
        "smiling/1.jpg,001,1,24.0,female,white\n",
        encoding="utf-8",
    )
    faces = pictures.load("faces", tmp_path, seed=0, size=8)
    assert (faces.images.shape, faces.targets.tolist()) == ((2, 3, 8, 8), [0, 1])
    assert faces.entities is not None
    assert faces.entities.tolist() == [1, 1]
    clothing = pictures.load("clothing", tmp_path, seed=0, size=8)
    assert (clothing.classes, clothing.targets.tolist()) == (("hat", "shoes"), [0, 1])
    assert [rows.tolist() for rows in clothing.split(0.5, seed=0)] == [[0], [1]]  # of the source


@pytest.mark.parametrize("name", ["mnist", "faces"])
def test_larger_data_need_a_folder(name, tmp_path):
    missing = tmp_path / "none"
    with pytest.raises(ParamsError) as refused:
        pictures.load(name, missing, seed=0)
    assert str(refused.value) == (
        f"pictures: folder of {name} must exist, got '{missing}'; name the folder that holds its "
        "files"
    )


def test_an_unknown_name_is_refused():
    with pytest.raises(ParamsError, match=r"^pictures: name must be one of digits, glyphs, new_ch"):
        pictures.load("cats", seed=0)
