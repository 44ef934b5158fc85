import gzip
import struct

import numpy as np
import pytest

from plumbline.data.images import formats
from plumbline.errors import DataError


def idx(array, *, shape=None):
    sizes = array.shape if shape is None else shape
    return b"\0\0\x08" + bytes([len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes) + (
        array.tobytes()
    )  # fmt: skip


def message(read, *arguments, **options):
    with pytest.raises(DataError) as caught:
        read(*arguments, **options)
    return str(caught.value)


def test_an_idx_file_is_read_plain_and_zipped(tmp_path):
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "a.idx").write_bytes(idx(values))
    (tmp_path / "a.gz").write_bytes(gzip.compress(idx(values)))
    for name in ("a.idx", "a.gz"):
        np.testing.assert_array_equal(formats.read_idx(tmp_path / name), values)


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b"", "a.idx: file must begin as IDX of unsigned bytes, got none"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0",
         "a.idx: file must begin as IDX of unsigned bytes, got 00000d01"),
        (idx(np.zeros(3, np.uint8), shape=(5,)),
         "a.idx: values must be 5 as the header says, got 3"),
        (idx(np.zeros(3, np.uint8), shape=(2**32 - 1,) * 3),
         f"a.idx: values must be {(2**32 - 1) ** 3} as the header says, got 3"),
    ],
)  # fmt: skip
def test_an_idx_file_whose_header_lies_is_refused(tmp_path, data, want):
    (tmp_path / "a.idx").write_bytes(data)
    assert message(formats.read_idx, tmp_path / "a.idx") == want


def test_a_cut_or_swollen_gzip_is_refused(tmp_path, monkeypatch):
    whole = gzip.compress(idx(np.zeros((50, 50), np.uint8)))
    path = tmp_path / "a.gz"
    path.write_bytes(whole[:-10])
    assert message(formats.read_idx, path).startswith("a.gz: file must be whole gzip, got: ")
    path.write_bytes(b"PK\x03\x04")
    assert message(formats.read_idx, path).startswith("a.gz: file must be whole gzip, got: ")
    monkeypatch.setattr(formats, "_LIMIT", 100)
    path.write_bytes(whole)
    assert message(formats.read_idx, path) == (
        "a.gz: file must unpack to at most 100 bytes, got more"
    )


def test_images_and_labels_must_belong_together(tmp_path):
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.write_bytes(idx(np.zeros((3, 2, 2), np.uint8)))
    labels.write_bytes(idx(np.array([0, 1, 9], np.uint8)))
    pixels, codes = formats.read_idx_pair(images, labels, classes=10)
    assert pixels.shape == (3, 2, 2)
    assert codes.tolist() == [0, 1, 9]
    assert message(formats.read_idx_pair, images, labels, classes=5) == (
        "labels: class codes must be in 0…4, got 9"
    )
    labels.write_bytes(idx(np.zeros(2, np.uint8)))
    assert message(formats.read_idx_pair, images, labels, classes=10) == (
        "images: images must be (N, H, W) with one label each, got (3, 2, 2) and labels (2,)"
    )


def test_a_record_of_cifar_is_a_label_and_three_planes(tmp_path):
    record = bytes([7]) + bytes([1]) * 1024 + bytes([2]) * 1024 + bytes([3]) * 1024
    (tmp_path / "a.bin").write_bytes(record * 2)
    pixels, codes = formats.read_cifar(tmp_path / "a.bin", classes=10)
    assert pixels.shape == (2, 3, 32, 32)
    assert pixels[1, :, 5, 5].tolist() == [1, 2, 3]
    assert codes.tolist() == [7, 7]
    (tmp_path / "a.bin").write_bytes(record[:-1])
    assert message(formats.read_cifar, tmp_path / "a.bin", classes=10) == (
        "a.bin: size must be a multiple of 3073 bytes, got 3072"
    )


def test_a_pickle_in_its_place_is_not_read(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"cos\nsystem\n(S'touch hit'\ntR.")
    assert "must be a multiple of 3073 bytes" in message(
        formats.read_cifar, tmp_path / "a.bin", classes=10
    )


def test_celebas_lists_are_read_and_checked(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("2\nMale Smiling\n000001.jpg -1  1\n000002.jpg  1 -1\n")
    table = formats.read_celeba_attributes(path)
    assert table.loc["000001.jpg", "Smiling"] == 1
    assert table["Male"].tolist() == [-1, 1]
    path.write_text("3\nMale Smiling\n000001.jpg -1 1\n")
    assert message(formats.read_celeba_attributes, path) == (
        "list.txt: first line must be the number of images (1), got '3'"
    )
    path.write_text("1\nMale Smiling\n000001.jpg -1 0\n")
    assert message(formats.read_celeba_attributes, path) == (
        "list.txt: line 3 must hold a file and 2 values 1 or -1, got '000001.jpg -1 0'"
    )
    path.write_text("000001.jpg 0\n000002.jpg 2\n")
    assert formats.read_celeba_pairs(path).to_dict() == {"000001.jpg": 0, "000002.jpg": 2}
    path.write_text("000001.jpg -1\n")
    assert message(formats.read_celeba_pairs, path) == (
        "list.txt: line 1 must be a file and a number, got '000001.jpg -1'"
    )
