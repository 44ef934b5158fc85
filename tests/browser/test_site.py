"""The report page at the widths of a screen, a tablet and a telephone."""

import pytest

from plumbline import artifacts
from plumbline.reporting.site.page import render_site
from tests.reporting.conftest import (
    write_data_audits,
    write_images,
    write_tabular,
    write_text_models,
)
from tests.reporting.site.test_fold_views import SUMMARY, write_folds

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PLACED = """
    return [...document.querySelectorAll("nav a")].map((link) => {
      const box = link.getBoundingClientRect();
      return [link.textContent, box.left, box.right, box.width];
    });
"""
WIDTHS = """
    const page = document.documentElement;
    return [page.clientWidth, page.scrollWidth];
"""
UNCOVERED = """
    const heading = document.querySelector("#folds h2").getBoundingClientRect();
    const bar = document.querySelector("nav").getBoundingClientRect();
    return heading.top >= Math.max(bar.bottom, 0) && heading.bottom <= window.innerHeight;
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    for write in (write_tabular, write_text_models, write_images, write_data_audits):
        write(root / "made")
    copy = write_folds(root / "made", root / "tree", SUMMARY)
    artifacts.write_text(root / "index.html", render_site(copy, title="plumbline"))
    return (root / "index.html").as_uri()


@pytest.mark.parametrize("width", [1280, 800, 400])
def test_every_section_can_be_reached_from_the_bar_and_nothing_is_cut_off(page, address, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.open(address)
        within, wide = page.driver.execute_script(WIDTHS)  # the scroll bar takes some of it
        assert within <= width
        assert wide <= within
        placed = page.driver.execute_script(PLACED)
        assert {"Cross-validation", "Verify"} <= {word for word, *_ in placed}
        for word, left, right, across in placed:
            assert left >= 0, word
            assert right <= within, word
            assert across > 30, word
        page.click("nav a", "Cross-validation")
        page.wait(lambda: page.driver.execute_script(UNCOVERED), "the heading below the bar")
        page.shoot(f"report-{width}")
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
