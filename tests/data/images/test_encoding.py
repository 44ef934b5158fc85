"""Pictures become the pixels that the prepared images have."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from plumbline.data.images.decode import Shape, decode
from plumbline.data.images.encoding import ImageEncoding
from plumbline.data.pixels.resize import enlarge
from plumbline.errors import DataError

DIGITS = ImageEncoding("grey", None, 10_000, counts=True)
PHOTOS = ImageEncoding("rgb", "crop", 10_000, counts=False)


def png(array) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def test_counts_of_the_source_and_grey_levels_give_the_prepared_pixels():
    raw = load_digits().images[:5]
    want = enlarge(raw, size=16)
    np.testing.assert_array_equal(DIGITS.pixels(raw, 16, where="cnn")[:, 0], want)
    np.testing.assert_array_equal(DIGITS.pixels(raw.tolist(), 16, where="cnn")[:, 0], want)
    np.testing.assert_array_equal(DIGITS.pixels(want, 16, where="cnn")[:, 0], want)
    cells = [np.array(list(image), dtype=object) for image in want]  # as a data frame holds them
    np.testing.assert_array_equal(DIGITS.pixels(cells, 16, where="cnn")[:, 0], want)


def test_files_arrays_and_base64_of_a_photograph_give_the_same_pixels():
    photo = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    data = png(photo)
    want = decode(data, Shape((8,), mode="rgb", fit="crop", max_pixels=10_000))[8]
    text = base64.b64encode(data).decode()
    given = [photo, photo.tolist(), data, text, f"data:image/png;base64,{text}"]
    for found in PHOTOS.pixels(given, 8, where="cnn"):
        np.testing.assert_array_equal(found, want)


def test_a_grey_picture_serves_a_model_of_colours_and_the_reverse():
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    found = PHOTOS.pixels([grey], 8, where="cnn")[0]
    np.testing.assert_array_equal(found, np.stack([grey] * 3))
    plain = ImageEncoding("grey", None, 10_000, counts=False)
    np.testing.assert_array_equal(plain.pixels([np.stack([grey] * 3, axis=2)], 8, where="x")[0, 0],
                                  grey)  # fmt: skip


@pytest.mark.parametrize(
    ("encoding", "picture", "message"),
    [
        (DIGITS, np.full((8, 8), 17), "cnn: image 0 must hold counts from 0 to 16 where it is 8×8, "
         "got 17; give grey levels as 16×16 pixels"),
        (DIGITS, np.zeros((9, 9)), "cnn: image 0 must have 8×8 counts or 16×16 grey levels, got "
         "9×9; resize it"),
        (PHOTOS, np.zeros(9), "cnn: image 0 must be an array (H, W) or (H, W, C) of numbers, or an "
         "image file, got ndarray of shape (9,)"),
        (PHOTOS, np.zeros((4, 4, 2)), "cnn: image 0 must have 1 or 3 channels as its last axis, "
         "got shape (4, 4, 2)"),
        (PHOTOS, np.full((4, 4), 0.5), "cnn: image 0 must hold whole numbers from 0 to 255, got "
         "values from 0.5 to 0.5; scale them"),
        (PHOTOS, "photo.png", "cnn: image 0 must be base64 of an image file where it is text, got "
         "'photo.png'; encode the bytes of the file"),
        (PHOTOS, b"", "cnn: image 0 must be a readable picture, got: empty file"),
        (PHOTOS, None, "cnn: image 0 must be an array (H, W) or (H, W, C) of numbers, or an "
         "image file, got NoneType of shape ()"),
        (PHOTOS, [[1, 2], [3]], "cnn: image 0 must be an array (H, W) or (H, W, C) of numbers, or "
         "an image file, got list of shape (0,)"),
        (ImageEncoding("grey", None, 9999, counts=False), np.zeros((4, 6)), "cnn: image 0 must be "
         "square, got: 6×4 pixels, which is no square; crop or pad it"),
        (ImageEncoding("grey", None, 9999, counts=False), png(np.zeros((4, 6), "uint8")), "cnn: "
         "image 0 must be a readable picture, got: 6×4 pixels, which is no square"),
    ],
)  # fmt: skip
def test_what_is_no_picture_for_the_model_is_named(encoding, picture, message):
    with pytest.raises(DataError) as caught:
        encoding.pixels([picture], 16, where="cnn")
    assert str(caught.value) == message


def test_an_encoding_is_read_as_it_was_written(tmp_path):
    PHOTOS.write(tmp_path)
    assert ImageEncoding.read(tmp_path) == PHOTOS
