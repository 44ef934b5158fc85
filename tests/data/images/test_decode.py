import io
import re
import struct
import warnings
import zlib
from itertools import count

import numpy as np
import pytest
from PIL import Image

from plumbline.data.images.decode import CHUNK, Shape, UnreadableImageError, decode, decode_all

ADDRESS = re.compile("0x[0-9a-f]+")  # some of Pillow's faults name an object by it
GREY = Shape(sizes=(8,), mode="grey", fit="crop", max_pixels=10_000)
RGB = Shape(sizes=(8, 16), mode="rgb", fit="crop", max_pixels=10_000)


def encoded(picture, kind="PNG", **options):
    sink = io.BytesIO()
    picture.save(sink, format=kind, **options)
    return sink.getvalue()


def gradient(mode="RGB", size=(12, 12)):
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)).convert(mode)


def fault(data, shape=GREY):
    with pytest.raises(UnreadableImageError) as caught:
        decode(data, shape)
    return str(caught.value)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_of_png_becomes_eight_bits_of_one_or_three_channels(mode):
    picture = Image.fromarray(np.full((9, 9), 51400, dtype=np.uint16)) if mode == "I;16" else (
        Image.new("RGB", (9, 9), (200, 200, 200)).convert(mode, dither=Image.Dither.NONE)
    )  # fmt: skip
    want = {"1": 255, "P": 204}.get(mode, 200)  # the web palette has 204
    grey, colour = decode(encoded(picture), GREY), decode(encoded(picture), RGB)
    assert grey[8].shape == (1, 8, 8)
    assert colour[16].shape == (3, 16, 16)
    assert colour[8].dtype == np.uint8
    np.testing.assert_array_equal(grey[8], want)
    np.testing.assert_array_equal(colour[16], want)


def test_cmyk_is_turned_into_rgb():
    picture = Image.new("RGB", (16, 16), (255, 0, 0)).convert("CMYK")
    red = decode(encoded(picture, "JPEG", quality=95), RGB)[8]
    assert red[0].min() > 240
    assert red[1:].max() < 15


@pytest.mark.parametrize(("value", "want"), [(0, 0), (65535, 255), (257, 1), (128, 0), (129, 1)])
def test_sixteen_bits_are_scaled_to_the_nearest_of_eight(value, want):
    picture = Image.fromarray(np.full((4, 4), value, dtype=np.uint16))
    np.testing.assert_array_equal(decode(encoded(picture), GREY)[8], want)


def test_real_numbers_of_unknown_range_are_refused():
    picture = Image.fromarray(np.zeros((4, 4), dtype=np.float32))
    assert fault(encoded(picture, "TIFF")) == "pixels are real numbers of unknown range"


def test_whole_numbers_of_32_bits_are_refused_and_those_of_a_portable_greymap_are_sixteen_bits():
    picture = Image.fromarray(np.full((4, 4), 200, dtype=np.int32))
    assert fault(encoded(picture, "TIFF")) == "pixels are 32-bit whole numbers of unknown range"
    data = b"P5 4 4 1023\n" + struct.pack(">H", 1023) * 16
    np.testing.assert_array_equal(decode(data, GREY)[8], 255)


def test_cielab_is_turned_into_grey_too():
    picture = Image.new("LAB", (8, 8), (200, 128, 128))  # L* = 78.4 without colour
    want = 255 * 0.7565  # sRGB of L* = 78.4: linear 0.5347
    for shape in (GREY, RGB):
        found = decode(encoded(picture, "TIFF"), shape)[8]
        np.testing.assert_allclose(found, want, atol=2)


def test_a_transparent_grey_of_sixteen_bits_is_white():
    values = np.full((8, 8), 25700, dtype=np.uint16)
    values[:, 4:] = 0
    data = encoded(Image.fromarray(values), transparency=0)
    found = decode(data, GREY)[8][0]
    assert set(found[:, :2].ravel().tolist()) == {100}
    assert set(found[:, -2:].ravel().tolist()) == {255}


def test_a_jpeg_whose_rest_was_never_written_is_damaged():
    data = encoded(gradient("RGB", (64, 64)), "JPEG", progressive=True)
    kept = len(data) // 2
    assert fault(data[:kept] + b"\0" * (len(data) - kept)).startswith("damaged: ")
    data = encoded(gradient("RGB", (64, 64)), "JPEG")
    kept = len(data) // 2
    assert fault(data[:kept] + b"\0" * (len(data) - kept)) == "damaged: its end is missing"
    # A thumbnail has an end of its own, and a film may follow the picture.
    exif = Image.Exif()
    exif[0x010E] = (b"\xff\xd8\xff\xd9" * 9).decode("latin-1")
    whole = encoded(gradient("RGB", (64, 64)), "JPEG", exif=exif)
    assert decode(whole + b"\0" * 999, GREY)[8].shape == (1, 8, 8)
    kept = len(whole) - 200
    assert fault(whole[:kept] + b"\0" * 200) == "damaged: its end is missing"


def test_bytes_that_fill_up_before_a_marker_are_no_damage():
    data = encoded(gradient("RGB", (16, 16)), "JPEG")
    filled = data[:2] + b"\xff" * 3 + data[2:]
    np.testing.assert_array_equal(decode(filled, GREY)[8], decode(data, GREY)[8])


def test_a_transparent_ground_is_white():
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    np.testing.assert_array_equal(decode(encoded(clear), RGB)[8], 255)
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    np.testing.assert_array_equal(decode(encoded(palette, transparency=0), RGB)[8], 255)
    half = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert set(decode(encoded(half), GREY)[8].ravel().tolist()) == {127}


def test_a_picture_is_turned_as_its_exif_says():
    picture = Image.new("L", (8, 8))
    picture.paste(255, (0, 0, 8, 2))  # a light bar at the top
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise: the top goes to the right
    turned = decode(encoded(picture, "JPEG", exif=exif, quality=95), GREY)[8][0]
    assert turned[:, -2:].min() > 200
    assert turned[:, :5].max() < 60


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_each_of_the_eight_turns_of_exif_is_undone(kind, mode):
    lying = gradient(mode, (8, 8))
    pixels = np.asarray(lying)
    turns = [
        pixels, pixels[:, ::-1], pixels[::-1, ::-1], pixels[::-1], pixels.swapaxes(0, 1),
        np.rot90(pixels, -1), np.rot90(pixels, 2).swapaxes(0, 1), np.rot90(pixels, 1),
    ]  # fmt: skip
    shape = Shape(sizes=(8,), mode="grey" if mode == "L" else "rgb", fit="crop", max_pixels=100)
    for number, want in enumerate(turns, start=1):
        exif = Image.Exif()
        exif[0x0112] = number
        found = decode(encoded(lying, kind, exif=exif), shape)[8]
        np.testing.assert_array_equal(found.transpose(1, 2, 0).reshape(want.shape), want)


@pytest.mark.parametrize(
    ("fit", "middle", "rim"), [("crop", 255, 255), ("pad", 255, 0), ("stretch", 255, 0)]
)
def test_an_oblong_is_cropped_padded_or_stretched(fit, middle, rim):
    picture = Image.new("L", (48, 16))  # a light square in the middle of a dark strip
    picture.paste(255, (16, 0, 32, 16))
    shape = Shape(sizes=(16,), mode="grey", fit=fit, max_pixels=10_000)
    found = decode(encoded(picture), shape)[16][0]
    assert found[8, 8] == middle
    assert found[8, 0] == rim
    assert found[0, 8] == {"crop": 255, "pad": 0, "stretch": 255}[fit]


def test_resizing_is_pillows_cubic_kernel():
    picture = gradient("L", (30, 30))
    want = np.asarray(picture.resize((8, 8), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(decode(encoded(picture), GREY)[8][0], want)


def test_of_several_frames_the_first_is_taken():
    frames = [Image.new("L", (8, 8), value) for value in (255, 0, 0)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode(data, GREY)[8], 255)


def test_pictures_that_cannot_be_read_whole_say_why():
    assert fault(b"") == "empty file"
    assert fault(b"no picture at all") == "no picture of a known format"
    data = encoded(gradient("RGB", (64, 64)), "JPEG")
    assert fault(data[: len(data) // 2]).startswith("damaged: ")
    assert fault(encoded(gradient(size=(101, 100)))) == "101×100 pixels, more than 10000"


def test_a_script_is_not_run():
    """PostScript would start another program; it is no known format here."""
    data = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n"
    assert fault(data) == "no picture of a known format"


def huge_png(width, height):
    def chunk(kind, body):
        tail = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + tail

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("width", "height"), [(10_001, 1), (20_000, 20_000), (2**31 - 1, 2**31 - 1), (300_000_000, 1)]
)
def test_a_small_file_of_a_huge_picture_is_refused_before_it_is_decoded(width, height):
    assert "more than 10000" in fault(huge_png(width, height))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_neither_order_nor_bits_depend_on_the_number_of_workers(tmp_path, workers):
    paths = []
    for number in range(70):
        path = tmp_path / f"{number:02d}.png"
        path.write_bytes(b"broken" if number == 5 else encoded(Image.new("L", (9, 9), number)))
        paths.append(path)
    paths.append(tmp_path / "absent.png")
    found = list(decode_all(paths, GREY, workers=workers))
    assert found[5] == "no picture of a known format"
    assert found[-1] == "not readable: No such file or directory"
    for number, each in enumerate(found[:-1]):
        if number != 5:
            np.testing.assert_array_equal(each[8], number)


# --- malformed pictures --------------------------------------------------------------------------

SEEDS = {
    "png": encoded(gradient()),
    "png16": encoded(Image.fromarray(np.arange(144, dtype=np.uint16).reshape(12, 12) * 400)),
    "palette": encoded(gradient("P"), transparency=3),
    "jpeg": encoded(gradient(), "JPEG"),
    "cmyk": encoded(gradient("CMYK"), "JPEG"),
    "gif": encoded(gradient("P"), "GIF", save_all=True, append_images=[gradient("P")]),
    "bmp": encoded(gradient(), "BMP"),
    "tiff": encoded(gradient("RGBA"), "TIFF"),
    "webp": encoded(gradient(), "WEBP"),
    "ppm": encoded(gradient(), "PPM"),
}


def mutations(data, rng):
    """Yield damaged copies: cut off, bytes changed, doubled, zeroed, joined to another's end."""
    for cut in sorted({0, 1, 4, 8, 16, 20, 24, 26, 33, len(data) // 2, len(data) - 1}):
        yield data[:cut]
    for _ in range(14):
        changed = bytearray(data)
        for place in rng.integers(0, len(data), size=int(rng.integers(1, 6))):
            changed[place] = int(rng.integers(0, 256))
        yield bytes(changed)
    for _ in range(6):  # sizes stand in the first bytes
        changed = bytearray(data)
        start = int(rng.integers(0, min(40, len(data) - 4)))
        changed[start : start + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\0\0"])
        yield bytes(changed)
    yield data + data
    yield data[len(data) // 2 :]
    yield b"\0" * len(data)
    yield SEEDS["png"][:20] + data[20:]
    yield data + b"\n<script>alert(1)</script>"


@pytest.mark.parametrize("kind", SEEDS)
def test_a_malformed_picture_is_an_error_of_one_line_or_a_picture_of_the_right_shape(kind):
    rng = np.random.default_rng(zlib.crc32(kind.encode()))
    cases = list(mutations(SEEDS[kind], rng))
    assert len(cases) >= 36
    faults = []
    for data in cases:
        try:
            found = decode(data, RGB)
        except UnreadableImageError as error:
            faults.append(str(error))
        else:
            assert {size: a.shape for size, a in found.items()} == {8: (3, 8, 8), 16: (3, 16, 16)}
            assert all(a.dtype == np.uint8 for a in found.values())
    assert all(fault and "\n" not in fault for fault in faults)
    assert len(faults) >= 8  # the empty and the cut ones at least
    assert decode(SEEDS[kind], RGB)[8].std() > 10


def test_threads_read_malformed_pictures_as_one_does_and_leave_the_filters_of_warnings_alone():
    rng = np.random.default_rng(0)
    cases = [data for kind in SEEDS for data in mutations(SEEDS[kind], rng)]
    filters = list(warnings.filters)
    alone, together = (list(decode_all(cases, RGB, workers=workers)) for workers in (1, 4))
    assert warnings.filters == filters
    assert len(alone) == len(together) == len(cases)
    for one, other in zip(alone, together, strict=True):
        if isinstance(one, str):
            assert ADDRESS.sub("", one) == ADDRESS.sub("", other)
        else:
            assert all(np.array_equal(one[size], other[size]) for size in (8, 16))


def test_a_reader_that_stops_early_stops_the_threads():
    asked = []
    endless = (asked.append(None) or SEEDS["png"] for _ in count())
    found = decode_all(endless, RGB, workers=2)
    assert next(found)[8].shape == (3, 8, 8)
    found.close()
    assert len(asked) == 8 * 2 * CHUNK
