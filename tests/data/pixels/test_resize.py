import numpy as np
import pytest
from PIL import Image

from plumbline.data.pixels.resize import resize, resize_matrix

SIZES = [(8, 16), (8, 32), (8, 28), (32, 8), (30, 7), (5, 32)]


@pytest.mark.parametrize(("length", "size"), SIZES)
def test_it_is_pillows_bicubic_wherever_the_kernel_lies_inside_the_image(length, size):
    # Beyond the border Pillow drops weights and renormalises, we give them to the border pixel.
    pixels = np.random.default_rng(0).uniform(0, 255, (length, length))
    theirs = Image.fromarray(pixels.astype(np.float32)).resize((size, size), Image.BICUBIC)
    reach = 2 * max(1.0, length / size)
    centres = (np.arange(size) + 0.5) * length / size
    inside = np.flatnonzero((centres - reach >= 0) & (centres + reach <= length))
    here = np.ix_(inside, inside)
    assert len(inside)
    # Pillow computes in float32.
    np.testing.assert_allclose(
        resize(pixels[None], size)[0][here], np.asarray(theirs)[here], atol=2e-3
    )


def test_a_constant_stays_constant_up_to_the_border():
    np.testing.assert_allclose(resize(np.full((2, 8, 8), 3.0), 20), 3.0, atol=1e-12)


def test_the_same_size_changes_nothing():
    np.testing.assert_allclose(resize_matrix(9, 9), np.eye(9), atol=1e-12)


def test_doubling_has_the_cubic_kernels_weights():
    # At a quarter of a pixel the kernel of Keys with a = -1/2 is, by hand, -9/128, 111/128,
    # 29/128, -3/128 (from near to far, on both sides); exact in binary.
    row = resize_matrix(8, 16)[8]  # centre 3.75: pixels 2, 3, 4, 5
    np.testing.assert_array_equal(row[2:6] * 128, [-3, 29, 111, -9])
