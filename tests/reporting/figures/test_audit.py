"""The figure of an audit: it is written, repeats, and shows the curves that the file holds."""

import xml.etree.ElementTree as ElementTree

import pytest

from plumbline.artifacts import read_json
from plumbline.reporting.figures import audit, style

CURVES = [
    {"attribute": "sex", "group": "female", "positives": 20, "negatives": 30,
     "fpr": [0.0, 0.0, 0.5, 1.0], "tpr": [0.0, 0.6, 0.8, 1.0],
     "margin_fpr": 0.2, "margin_tpr": 0.3},
    {"attribute": "sex", "group": "male", "positives": 10, "negatives": 10,
     "fpr": [0.0, 1.0], "tpr": [0.0, 1.0], "margin_fpr": None, "margin_tpr": None},
]  # fmt: skip


def empty(roc=()):
    return {"rows": [], "worst": None, "roc": list(roc)}


def test_the_figure_is_written_and_its_bytes_repeat(tmp_path, tree):
    for model in ("fnn", "rnn", "gan"):
        found = read_json(tree / f"reports/audits/{model}.json") | {"roc": CURVES}
        for name in ("a", "b"):
            audit.audit_figure(found, tmp_path / f"{name}.svg")
        assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
        ids = [e.get("id") for e in ElementTree.parse(tmp_path / "a.svg").iter() if e.get("id")]
        assert len(ids) == len(set(ids))


def test_an_audit_without_groups_says_so(tmp_path):
    audit.audit_figure(empty(), tmp_path / "a.svg")
    assert "no group could be measured" in (tmp_path / "a.svg").read_text()


def test_curves_go_through_their_points_and_bands_lie_to_both_sides():
    (axis,) = audit.roc_panels(empty(CURVES), ["sex"]).axes
    _, female, male = axis.get_lines()
    assert female.get_xydata().tolist() == [[0, 0], [0, 0.6], [0.5, 0.8], [1, 1]]
    assert male.get_label() == "male (10 + 10)"
    (band,) = axis.patches  # a curve without margins has none
    outline = {(round(x, 9), round(y, 9)) for x, y in band.get_xy().tolist()}
    # By hand: (0.5, 0.8) moved by (-0.2, +0.3), held at 1; and by (+0.2, -0.3).
    assert {(0.3, 1.0), (0.7, 0.5)} <= outline
    assert axis.get_title(loc="left") == "ROC curves by sex"


def test_of_many_groups_the_largest_are_drawn_and_the_rest_counted():
    many = [{**CURVES[1], "group": f"g{i}", "positives": i} for i in range(1, 9)]
    (axis,) = audit.roc_panels(empty(many), ["sex"]).axes
    drawn = [text.get_text().split()[0] for text in axis.get_legend().get_texts()]
    assert drawn == [f"g{i}" for i in range(3, 9)]
    assert axis.get_title(loc="left") == "ROC curves by sex, 2 smaller groups left out"


def test_figures_below_each_other_keep_their_sizes():
    first, second = (style.svg(audit.roc_panels(empty(CURVES), ["sex"])) for _ in range(2))
    both = ElementTree.fromstring(style.stacked([first, second]).split("?>", 1)[1])
    own = ElementTree.fromstring(first[first.index("<svg") :])
    width, height = (float(side) for side in own.get("viewBox").split()[2:])
    assert [float(side) for side in both.get("viewBox").split()[2:]] == pytest.approx(
        [width, 2 * height]
    )
    assert [float(part.get("y")) for part in both] == pytest.approx([0, height], abs=0.01)
