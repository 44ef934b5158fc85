"""The report page and a laboratory's page at the widths of a screen, a tablet and a telephone."""

import pytest

from plumbline import artifacts
from plumbline.reporting.site.lab_page import render_lab
from plumbline.reporting.site.page import render_site
from tests.reporting.conftest import (
    write_comparisons,
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
    const heading = document.querySelector(arguments[0] + " h2").getBoundingClientRect();
    const bar = document.querySelector("nav").getBoundingClientRect();
    return heading.top >= Math.max(bar.bottom, 0) && heading.bottom <= window.innerHeight;
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    for write in (
        write_tabular, write_text_models, write_images, write_comparisons, write_data_audits,
    ):  # fmt: skip
        write(root / "made")
    copy = write_folds(root / "made", root / "tree", SUMMARY)
    artifacts.write_text(root / "index.html", render_site(copy, title="plumbline"))
    artifacts.write_text(root / "fairness.html", render_lab(copy, "fairness", title="plumbline"))
    return root


@pytest.mark.parametrize("width", [1280, 800, 400])
@pytest.mark.parametrize(
    ("name", "link", "section"),
    [("index", "Verify", "#check"), ("fairness", "Cross-validation", "#folds")],
)
def test_every_section_can_be_reached_from_the_bar_and_nothing_is_cut_off(
    page, folder, name, link, section, width
):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.open((folder / f"{name}.html").as_uri())
        within, wide = page.driver.execute_script(WIDTHS)  # the scroll bar takes some of it
        assert within <= width
        assert wide <= within
        placed = page.driver.execute_script(PLACED)
        assert link in {word for word, *_ in placed}
        for word, left, right, across in placed:
            assert left >= 0, word
            assert right <= within, word
            assert across > 30, word
        page.click("nav a", link)
        page.wait(
            lambda: page.driver.execute_script(UNCOVERED, section), "the heading below the bar"
        )
        page.shoot(f"{name}-{width}")
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
