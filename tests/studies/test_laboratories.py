"""Every study of every laboratory: its quick size runs, its claims fit its rows, its page is whole.

The seed is the one of the pipeline, so that the rows are those of ``plumbline exercise --quick``.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict

import pytest
import yaml

from plumbline import params
from plumbline.params.apply import load_sized
from plumbline.runs import dependencies, dvc_files
from plumbline.stage.context import derive_seed
from plumbline.studies import exercises
from plumbline.studies.framework import pages, rows, study
from plumbline.studies.framework.claims import NOT_MEASURED

STUDIES = study.every()
NAMES = [f"{each.lab}/{each.name}" for each in STUDIES]


@pytest.fixture(scope="module", params=STUDIES, ids=NAMES)
def measured(request, root):
    """A study with the rows of its quick size and its verdicts, judged alone."""
    each = request.param
    options = load_sized(root, each.lab, "quick")
    seed = derive_seed(params.load(root).seed, each.name)
    steps = []
    found = rows.run(
        each.lab, each.name, getattr(options, each.name), seed=seed,
        progress=lambda done, total, text: steps.append((done, total)),
    )  # fmt: skip
    judged = pages.judge_studies({each.name: each}, {each.name: found}, confidence=0.95)[each.name]
    return each, found, judged, steps


def test_the_quick_size_runs_and_its_page_is_whole(measured, tmp_path):
    each, found, judged, steps = measured
    assert steps
    assert steps[-1][0] == steps[-1][1]
    pages.write_study(each, found, judged, lambda at: tmp_path / at)
    page = (tmp_path / study.PAGE).read_text(encoding="utf-8")
    drawn = re.findall(r"!\[[^\]]+\]\(figures/([^)]+)\)", page)
    assert sorted(drawn) == sorted(path.name for path in tmp_path.glob("figures/*"))
    assert sorted(drawn) == sorted(each.captions)
    assert drawn
    for name in drawn:
        tree = ElementTree.parse(tmp_path / "figures" / name)
        assert tree.getroot().tag.endswith("svg")
    assert page.count("| **") == len(each.claims)
    assert "undefined [" not in page


@pytest.mark.parametrize("each", STUDIES, ids=NAMES)
def test_every_column_and_value_of_a_claim_has_a_readable_name(each):
    for claim in each.claims:
        parts = asdict(claim.contrast)
        assert {parts["metric"], parts.get("over", parts["metric"])} <= set(each.terms), claim.id
        for at in (parts[name] for name in ("at", "first", "second") if name in parts):
            for column, value in at.items():
                term = each.terms.get(column)
                assert "{}" in term if isinstance(term, str) else value in term, (claim.id, value)


def test_a_false_claim_is_refuted_and_a_control_not_supported(measured):
    _, _, judged, _ = measured
    for claim in judged["claims"]:
        if claim["is_false"] and claim["reason"] != NOT_MEASURED:
            assert claim["verdict"] == "refuted", claim["id"]
        if claim["is_control"]:
            assert claim["verdict"] != "supported", claim["id"]


@pytest.mark.parametrize("lab", study.labs())
def test_a_laboratory_has_a_control_and_a_false_claim(lab):
    claims = [claim for each in study.of_lab(lab).values() for claim in each.claims]
    assert any(claim.is_control for claim in claims)
    assert any(claim.is_false for claim in claims)


@pytest.mark.parametrize("lab", study.labs())
def test_studies_parameters_and_stages_have_the_same_names(root, lab):
    named = set(study.of_lab(lab))
    stages = {n: s for n, s in dvc_files.stages(root).items() if s.lab == lab}
    rows_of = {name for name in stages if any(o.endswith(study.ROWS) for o in stages[name].outs)}
    blocks = set(params.STUDIES[lab].model_fields)
    assert named == rows_of == blocks - {"claims"}
    for name, each in study.of_lab(lab).items():
        assert (each.name, each.lab) == (name, lab)
        assert set(each.exercises) <= set(exercises.read())
        assert set(stages[name].outs) == {(each.folder / study.ROWS).as_posix()}
        judged = {(each.folder / at).as_posix() for at in (study.CLAIMS, study.PAGE, study.FIGURES)}
        assert judged <= set(stages[f"{lab}_claims"].outs)
        assert (each.folder / study.ROWS).as_posix() in stages[f"{lab}_claims"].deps


@pytest.mark.parametrize("lab", study.labs())
@pytest.mark.parametrize("size", ["quick", "full"])
def test_a_size_changes_values_of_studies_and_adds_no_key(root, lab, size):
    layer = yaml.safe_load((root / f"studies/{lab}/{size}.yaml").read_text(encoding="utf-8"))
    sized, default = load_sized(root, lab, size), load_sized(root, lab, "default")
    for block in params.STUDIES[lab].model_fields:
        assert (getattr(sized, block) != getattr(default, block)) == (block in layer), block


@pytest.mark.parametrize("lab", study.labs())
def test_another_margin_or_figure_runs_no_training_again(root, lab):
    """Only the stage of the claims, and the page after it, depend on them and their confidence."""
    judging = {f"{lab}_claims"}
    for path in (root / f"src/plumbline/studies/{lab}/claims").glob("*.py"):
        assert set(dependencies.stale_stages(root, path.relative_to(root).as_posix())) == judging
    for name in ("verdicts.py", "pages.py", "study.py", "claims.py"):
        path = f"src/plumbline/studies/framework/{name}"
        assert set(dependencies.stale_stages(root, path)) == {
            f"{each}_claims" for each in study.labs()
        }
    file = f"studies/{lab}/params.yaml"
    reading = {n for n, s in dvc_files.stages(root).items() if s.params.get("claims") == file}
    assert reading == judging
