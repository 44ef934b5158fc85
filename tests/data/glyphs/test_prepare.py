from itertools import pairwise

import numpy as np
import pytest

from plumbline.data.glyphs import prepare as glyphs
from plumbline.data.glyphs.fonts import FONTS, font_folder, has_character, load_masters
from plumbline.data.glyphs.prepare import (
    choose_masters,
    count_blocks,
    draw_bitmaps,
    prepare,
    uniforms,
)
from plumbline.data.pixels.moments import slant, thickness
from plumbline.params.data import GlyphData

PARAMETERS = GlyphData(
    source="matplotlib_fonts", pixels=32, per_class=22, val_fraction=0.1, test_fraction=0.1
)


@pytest.fixture(scope="module")
def masters():
    return load_masters("17H", folder=font_folder())


@pytest.fixture(scope="module")
def prepared():
    return prepare(PARAMETERS, seed=42)


def test_the_glyphs_pass_their_own_checks(prepared):
    prepared.check()
    assert prepared.images[32].shape == (22 * len(glyphs.CHARACTERS), 1, 32, 32)
    assert prepared.table["y"].value_counts().unique().tolist() == [22]
    assert list(prepared.table.columns) == ["sample_id", "split", "y", "typeface", "weight"]
    assert prepared.schema.classes == tuple("0123456789ABCDEFGHJKLMNPQRSTUVWXYZabdefghnqrt")


def test_every_font_draws_every_character(prepared):
    fonts_used = prepared.table["sample_id"].str.replace(r"^U.....-(.*)-\d+$", r"\1", regex=True)
    assert set(fonts_used + ".ttf") == {font.file for font in FONTS}
    assert set(fonts_used.groupby(prepared.table["y"]).nunique()) == {len(FONTS)}


def test_groups_are_those_of_the_font(prepared):
    table = prepared.table
    mono = table["sample_id"].str.contains("Mono|cmtt10")
    assert (table["typeface"] == "mono").equals(mono)
    bold = table["sample_id"].str.contains("Bol|cmb10")
    assert table["weight"].str.contains("bold").equals(bold)


def test_a_sample_is_a_function_of_seed_and_id(masters):
    ids = [f"id {k}" for k in range(len(masters))]
    drawn = draw_bitmaps(masters, ids, seed=1)
    back = draw_bitmaps(masters[::-1], ids[::-1], seed=1)[::-1]
    np.testing.assert_array_equal(drawn, back)
    alone = draw_bitmaps(masters[5:6], ids[5:6], seed=1)
    np.testing.assert_array_equal(drawn[5:6], alone)
    assert (draw_bitmaps(masters, ids, seed=2) != drawn).any(axis=(1, 2)).all()


def test_more_drawings_keep_those_that_were_there(masters):
    few, more = (choose_masters(masters, per_class=n) for n in (5, 50))
    assert set(few) < set(more)
    assert len(set(more)) == len(more) == 3 * 50
    assert {masters[m].character for m, _ in more} == set("17H")


def test_without_any_bending_the_font_itself_is_drawn(masters, monkeypatch):
    for name in ("ROTATION", "SHEAR", "SHIFT", "BEND", "PEN"):
        monkeypatch.setattr(glyphs, name, 0.0)
    monkeypatch.setattr(glyphs, "ASPECT", (1.0, 1.0))
    monkeypatch.setattr(glyphs, "HEIGHT", (1.0, 1.0))
    drawn = draw_bitmaps(masters, [str(k) for k in range(len(masters))], seed=0)
    rows, columns = drawn.any(axis=2).sum(axis=1), drawn.any(axis=1).sum(axis=1)
    # The longer side fills the frame, but for half a pixel on each side.
    assert np.maximum(rows, columns).min() >= glyphs.BITMAP - 1
    letter = masters.index(next(m for m in masters if m.character == "H"))
    upright = drawn[letter]
    assert (
        upright == upright[:, ::-1]
    ).mean() > 0.9  # the H of DejaVu Sans is its own mirror image


@pytest.mark.parametrize(("name", "measure"), [("STROKE", thickness), ("SHEAR", slant)])
def test_each_kind_of_bending_is_seen_in_the_image(masters, monkeypatch, name, measure):
    ids = [str(k) for k in range(len(masters))]
    means = []
    for value in (2.0, 5.0, 8.0):
        amount = (value, value) if name == "STROKE" else 0.05 * value
        monkeypatch.setattr(glyphs, name, amount)
        images = draw_bitmaps(masters, ids, seed=3).astype(np.uint8)
        means.append(measure(images).mean() if name == "STROKE" else measure(images).std())
    assert all(low < high for low, high in pairwise(means))


def test_blocks_are_counted_like_the_digits():
    bitmap = np.zeros((1, 32, 32), dtype=bool)
    bitmap[0, 4:8, 8:12] = True
    bitmap[0, 31, 29:] = True
    counts = count_blocks(bitmap)
    assert counts.shape == (1, 8, 8)
    assert counts[0, 1, 2] == 16
    assert counts[0, 7, 7] == 3
    assert counts.sum() == 19


def test_uniforms_look_uniform_and_depend_on_their_name():
    numbers = uniforms("a", 20_000)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    # Five standard errors of the mean and of the deciles of 20,000 uniform numbers.
    assert abs(numbers.mean() - 0.5) < 5 * np.sqrt(1 / 12 / 20_000)
    counts, _ = np.histogram(numbers, bins=10, range=(0, 1))
    assert np.abs(counts - 2000).max() < 5 * np.sqrt(2000 * 0.9)
    np.testing.assert_array_equal(uniforms("a", 7), numbers[:7])
    assert (uniforms("b", 7) != numbers[:7]).all()


def test_a_font_without_a_character_is_skipped():
    from PIL import ImageFont

    folder = font_folder()
    sans = ImageFont.truetype(str(folder / "DejaVuSans.ttf"), 40)
    roman = ImageFont.truetype(str(folder / "cmr10.ttf"), 40)
    assert has_character(sans, "Ж")
    assert not has_character(sans, "\ue0f0")  # drawn as .notdef
    assert not has_character(sans, " ")  # no ink
    assert not has_character(roman, "Ж")
    found = {m.font.file for m in load_masters("Ж", folder=folder)}
    assert "DejaVuSans.ttf" in found
    assert "cmr10.ttf" not in found
