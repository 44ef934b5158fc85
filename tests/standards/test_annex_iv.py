"""Annex IV: every point is there, and an answer is a file that exists."""

import yaml

from plumbline.standards.annex_iv import POINTS, annex_iv_index


def test_every_point_of_the_annex_is_asked_and_answered_or_open():
    points = yaml.safe_load(POINTS.read_text(encoding="utf-8"))
    asked = " ".join(point["point"] for point in points)
    for wanted in [*(f"1({c})" for c in "abcdefgh"), *(f"2({c})" for c in "abcdefgh"), *"3456789"]:
        assert wanted in asked, wanted
    assert [p["point"] for p in points if not p.get("files") and not p.get("open")] == []


def test_a_file_that_does_not_exist_answers_nothing(tmp_path):
    (tmp_path / "CHANGELOG.md").write_text("x")
    found = {p["point"]: p for p in annex_iv_index(
        tmp_path, model="fnn", dataset="tabular", made={"dvc.lock", "requirements.lock"}
    )}  # fmt: skip
    assert found["6"]["answered"] == "yes"
    assert found["4"]["missing"] == ["reports/cards/fnn.md", "README.md"]
    assert found["4"]["answered"] == "no"
    assert found["1(c)"]["answered"] == "in part"
    assert found["9"]["answered"] == "no"


def test_the_repository_answers_with_files_that_it_has(root):
    later = ("data/", "reports/")
    points = yaml.safe_load(POINTS.read_text(encoding="utf-8"))
    named = {file for point in points for file in point.get("files", [])}
    lasting = {file for file in named if not file.startswith(later)}
    assert {file for file in lasting if not (root / file).exists()} == set()
