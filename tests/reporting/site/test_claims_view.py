"""The page of a laboratory that judges claims: by exercise, every number looked up."""

import pytest

from plumbline import artifacts
from plumbline.errors import ArtifactError
from plumbline.reporting.figures import style
from plumbline.reporting.references import Book, check_html
from plumbline.reporting.site.claims_view import exercise_views
from plumbline.reporting.site.lab_page import render_lab
from tests.reporting.site.test_page import Page


def claim(exercise, verdict, estimate=0.25, low=0.125, high=0.5, **more):
    return {"exercise": exercise, "statement": f"{exercise} is <so>.", "effect": "loss: a minus b",
            "claimed": "> 0.1", "verdict": verdict, "estimate": estimate, "low": low, "high": high,
            "reason": "", "is_false": False, "is_control": False, "every_seed": False,
            **more}  # fmt: skip


EXERCISES = {name: {"title": f"Title of {name}", "question": f"Why {name}?"}
             for name in ("E13", "E4", "E10")}  # fmt: skip


@pytest.fixture
def lab(tmp_path):
    """Two studies: one about E13 and E4 with a figure, one about E10."""
    folder = tmp_path / "reports/studies/feedforward"
    both = {"title": "Widths", "figures": {"loss_by_width.svg": "Loss by <width>."},
            "exercises": {name: EXERCISES[name] for name in ("E13", "E4")},
            "claims": [claim("E13", "supported"), claim("E4", "refuted", is_false=True),
                       claim("E13", "undecided", None, None, None, reason="too few")]}  # fmt: skip
    artifacts.write_json(folder / "widths/claims.json", both)
    drawn, _ = style.figure(2.0)
    artifacts.write_text(folder / "widths/figures/loss_by_width.svg", style.svg(drawn))
    other = {"title": "Heads", "figures": {}, "exercises": {"E10": EXERCISES["E10"]}, "claims": []}
    artifacts.write_json(folder / "heads/claims.json", other)
    return tmp_path


def test_claims_are_listed_by_exercise_in_the_order_of_the_chapter(lab):
    views = exercise_views(Book(lab), "feedforward")
    assert [view.name for view in views] == ["E4", "E10", "E13"]
    assert [[row.verdict for row in view.rows] for view in views] == [
        ["refuted"], [], ["supported", "undecided"],
    ]  # fmt: skip
    assert [len(view.drawings) for view in views] == [1, 0, 0]  # once, with the first exercise
    assert views[0].drawings[0].caption == "Loss by <width>."
    assert views[0].rows[0].remark == "deliberately false"
    assert views[2].rows[1].remark == "too few"


def test_every_number_of_the_page_stands_in_its_file(lab):
    text = render_lab(lab, "feedforward", title="plumbline")
    assert check_html(text, lab) == []
    assert text.count('data-ref="reports/studies/feedforward/widths/claims.json#claims.') == 7
    assert "E13 is &lt;so&gt;." in text
    assert "<so>" not in text
    assert '<a href="studies/feedforward/widths/README.md">widths</a>' in text
    for verdict in ("equivalent", "differs", "inconclusive"):
        assert f'class="chip {verdict}"' in text
    page = Page(text)
    assert page.faults == []
    assert len(page.ids) == len(set(page.ids))


def test_a_laboratory_whose_claims_were_not_judged_has_no_page(tmp_path):
    with pytest.raises(ArtifactError) as caught:
        render_lab(tmp_path, "feedforward", title="plumbline")
    assert str(caught.value) == (
        "report: reports/studies/feedforward must hold judged claims, got none; run the stage "
        "feedforward_claims"
    )
