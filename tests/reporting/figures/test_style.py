import re
import xml.etree.ElementTree as ET

import numpy as np

from plumbline.reporting.figures import style


def line(label="x"):
    drawn, (axis,) = style.figure(1.5)
    axis.plot([0, 1], [0.725, 1.125], color=style.ACCENT)
    axis.set_xlabel(label)
    return drawn


def test_equal_figures_give_equal_bytes(tmp_path):
    style.save(line(), tmp_path / "a.svg")
    style.save(line(), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_an_svg_holds_no_date_and_no_creator():
    text = style.svg(line())
    assert "dc:date" not in text
    assert "Matplotlib" not in text


def test_coordinates_are_short_and_printed_numbers_whole():
    drawn, (axis,) = style.figure(1.5)
    axis.text(0, 0, "0.123456")
    text = style.svg(drawn)
    assert ">0.123456</text>" in text
    assert not re.search(r' d="[^"]*\d\.\d{3}', text)


def test_a_dollar_in_a_name_is_a_dollar():
    assert ">a $b$ c</text>" in style.svg(line("a $b$ c"))


def test_an_inline_figure_is_well_formed_and_says_what_it_shows():
    text = style.inline(style.svg(line("<i>")), name="one", label='a "b" <c>')
    root = ET.fromstring(text)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == 'a "b" <c>'
    assert "metadata" not in text


def test_ids_of_two_inline_figures_do_not_meet():
    ids = [
        set(re.findall(r'\bid="([^"]+)"', style.inline(style.svg(line()), name=n, label="l")))
        for n in ("one", "two")
    ]
    assert ids[0]
    assert ids[0].isdisjoint(ids[1])


def test_links_inside_a_figure_point_to_its_own_ids():
    text = style.inline(style.svg(line()), name="one", label="l")
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    wanted = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    assert wanted
    assert wanted <= ids


def test_inks_become_the_colours_of_the_page():
    text = style.inline(style.svg(line()), name="one", label="l")
    assert "var(--accent)" in text
    assert style.ACCENT not in text


def test_a_png_has_the_pixels_it_was_given():
    import io

    from PIL import Image

    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    back = np.asarray(Image.open(io.BytesIO(style.png(pixels))))
    np.testing.assert_array_equal(back, pixels)
    assert style.png(pixels) == style.png(pixels)


def test_a_figure_of_any_name_is_well_formed_and_hides_nothing():
    text = style.svg(line("a\x1b[2J\u202eb"))
    assert ">a\\x1b[2J\\u202eb</text>" in text
    ET.fromstring(text)
