import numpy as np
import pytest

from plumbline.data.pixels.moments import (
    image_moments,
    measure_styles,
    slant,
    style_thresholds,
    thickness,
)
from plumbline.errors import DataError


def bar(width, *, size=64, length=48, lean=0.0):
    """A bar of full brightness, drawn at 8-fold resolution; it leans right by ``lean``."""
    fine = 8
    grid = (np.arange(size * fine) + 0.5) / fine - size / 2
    up, right = -grid[:, None], grid[None, :]
    ink = (np.abs(right - lean * up) < width / 2) & (np.abs(up) < length / 2)
    grey = ink.reshape(size, fine, size, fine).mean(axis=(1, 3))
    return np.rint(255 * grey).astype(np.uint8)[None]


def test_moments_of_two_pixels_are_those_done_by_hand():
    image = np.zeros((1, 5, 7), dtype=np.uint8)
    image[0, 1, 2], image[0, 3, 6] = 30, 10
    found = image_moments(image)
    # Weights 3/4 and 1/4: centre (3, 1.5), variances 3/16 * 4² and 3/16 * 2², covariance 3/16 * 8.
    values = [found.mass, found.x, found.y, found.mu20, found.mu02, found.mu11]
    np.testing.assert_allclose(np.ravel(values), [40, 3, 1.5, 3, 0.75, 1.5])


@pytest.mark.parametrize("lean", [-0.4, -0.1, 0.0, 0.25])
def test_the_slant_of_a_sheared_bar_is_its_shear(lean):
    # 0.01: a sloping edge is cut into cells.
    np.testing.assert_allclose(slant(bar(8, lean=lean)), lean, atol=0.01)


def test_slant_depends_neither_on_place_nor_on_brightness():
    image = bar(6, lean=0.2)
    moved = np.roll(image, (3, -5), axis=(1, 2))
    np.testing.assert_allclose(slant(moved), slant(image))
    np.testing.assert_allclose(slant((image // 255) * 100), slant((image // 255) * 200))


@pytest.mark.parametrize("width", [3, 5, 8])
def test_the_thickness_of_a_long_bar_is_its_width(width):
    # 2 * area / outline = 2 * w * L / (2 * (w + L)) = w / (1 + w / L), by hand; corners are cut.
    np.testing.assert_allclose(thickness(bar(width)), width / (1 + width / 48), rtol=0.02)


def test_thickness_does_not_depend_on_brightness_or_on_a_soft_edge():
    hard = bar(8)
    soft = hard.astype(float)
    for axis in (1, 2):
        soft = (np.roll(soft, 1, axis) + 2 * soft + np.roll(soft, -1, axis)) / 4
    np.testing.assert_allclose(thickness((hard // 255) * 60), thickness(hard))
    np.testing.assert_allclose(
        thickness(np.rint(soft).astype(np.uint8)), thickness(hard), rtol=0.02
    )


def test_ink_at_the_rim_has_an_outline_there():
    full = np.full((1, 10, 10), 255, dtype=np.uint8)
    # 2 * 100 / 40, but for the one corner at which both differences meet: √2 in place of 2.
    np.testing.assert_allclose(thickness(full), 200 / (38 + np.sqrt(2)))


def test_an_image_without_ink_is_of_no_style():
    blank = np.zeros((1, 6, 6), dtype=np.uint8)
    row = blank.copy()
    row[0, 2, 1:5] = 255
    assert np.isnan(thickness(blank)).all()
    assert np.isnan(slant(blank)).all()
    assert np.isnan(slant(row)).all()
    styles = measure_styles(
        np.concatenate([blank, row]), {"thickness": [1.0, 9.0], "slant": [-0.1, 0.1]}
    )
    assert styles["slant"].tolist() == ["undefined", "undefined"]
    assert styles["thickness"].tolist() == ["undefined", "thin"]


def test_groups_are_the_thirds_that_the_thresholds_cut():
    images = np.concatenate([bar(w, lean=s) for w, s in ((3, -0.3), (5, 0.0), (9, 0.3))])
    styles = measure_styles(images, {"thickness": [4.0, 6.0], "slant": [-0.1, 0.1]})
    assert styles["thickness"].tolist() == ["thin", "medium", "thick"]
    assert styles["slant"].tolist() == ["left", "upright", "right"]


def test_a_value_on_a_threshold_is_in_the_group_above():
    image = bar(5)
    value = float(thickness(image)[0])
    styles = measure_styles(image, {"thickness": [value, value + 1], "slant": [-1, 1]})
    assert styles["thickness"].tolist() == ["medium"]


def test_thresholds_cut_their_own_images_into_thirds():
    images = np.concatenate([bar(w, lean=(w - 6) / 20) for w in np.linspace(3, 9, 30)])
    styles = measure_styles(images, style_thresholds(images))
    assert styles["thickness"].value_counts().to_dict() == {"thin": 10, "medium": 10, "thick": 10}
    assert styles["slant"].value_counts().to_dict() == {"left": 10, "upright": 10, "right": 10}


@pytest.mark.parametrize(
    ("images", "got"),
    [
        (np.zeros((2, 8, 8)), "float64 of shape (2, 8, 8)"),
        (np.zeros((2, 1, 8, 8), dtype=np.uint8), "uint8 of shape (2, 1, 8, 8)"),
        (np.zeros((0, 8, 8), dtype=np.uint8), "uint8 of shape (0, 8, 8)"),
    ],
)
@pytest.mark.parametrize("measure", [image_moments, thickness])
def test_other_shapes_and_types_are_refused(measure, images, got):
    with pytest.raises(DataError) as error:
        measure(images)
    assert str(error.value) == (
        f"{measure.__name__}: images must be uint8 of shape (any, any, any), got {got}"
    )
