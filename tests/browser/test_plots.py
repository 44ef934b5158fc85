"""The pages of ``dvc plots``, opened without a network."""

import shutil

import pytest

from tests.clone import Clone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]

# Colours that DVC gives to the first and the second revision.
FIRST, SECOND = "#945dd6", "#13adc7"

# Draws DVC's last chart once more, in no place, and asks what it drew.
DRAWN = """
    const done = arguments[0], name = (plot) => plot.vgSpec.marks[0].from.facet.data;
    vegaEmbed(document.createElement("div"), spec).then((plot) =>
      done(plot.view.data(name(plot)).map((row) => [row.curve, row.time, row.loss])));
"""


def test_a_diff_draws_the_losses_of_two_revisions_over_each_other(page, clone):
    clone.run("plumbline vega")
    address = clone.run("dvc plots diff HEAD").strip()
    page.open(address)
    page.wait(lambda: len(page.find("main svg.marks")) == 8, "a chart for each history")
    charts = [chart for chart in page.find("main svg.marks") if "fnn" in chart.text]
    (chart,) = charts
    for colour in (FIRST, SECOND):
        lines = chart.find_elements("css selector", f"g.mark-line path[stroke='{colour}']")
        assert len(lines) == 2  # train and val
    assert all(
        word in chart.text for word in ("HEAD", "workspace", "train/loss", "val/loss", "step")
    )
    assert not page.driver.find_element("id", "missing").is_displayed()
    page.shoot("plots-diff")


def test_a_page_without_the_library_says_how_to_make_it(page, root, tmp_path):
    clone = Clone(root, tmp_path / "plumbline")
    shutil.rmtree(clone.folder / ".plumbline", ignore_errors=True)
    page.open(clone.run("dvc plots show").strip())
    page.sees("The drawing library is missing. Run plumbline vega")
    page.shoot("plots-without-library")
    logged = [entry["message"] for entry in page.driver.get_log("browser")]
    assert all("vega.js" in message for message in logged)  # the missing file and nothing else


def test_missing_values_are_left_out_not_drawn_as_zero(page, root, tmp_path):
    """DVC's own template turns an empty cell into 0."""
    clone = Clone(root, tmp_path / "plumbline")
    clone.run("plumbline vega")
    history = clone.folder / "reports/history/fnn.csv"
    history.write_text("epoch,step,train/loss,val/loss\n0,1,4,\n1,2,3,2\n2,3,3,\n")
    page.open(clone.run("dvc plots show reports/history/fnn.csv").strip())
    page.find("main svg.marks")
    shown = page.driver.execute_async_script(DRAWN)
    assert sorted(shown) == [
        ["train/loss", 1, 4], ["train/loss", 2, 3], ["train/loss", 3, 3], ["val/loss", 2, 2]
    ]  # fmt: skip
