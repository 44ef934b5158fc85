"""Promotion and rollback in real stores."""

import shutil
from dataclasses import replace

import pytest

from plumbline.errors import ArtifactError
from plumbline.runs import dvc_files
from plumbline.tracking import store
from plumbline.tracking.registry import evidence
from plumbline.tracking.registry.register import register
from plumbline.tracking.registry.registry import CANDIDATE, CHAMPION, PREVIOUS, Registry
from plumbline.verify.versions import champions, find
from tests.registered import PREDICTIONS, Tree, predictions
from tests.tracking.conftest import home, template  # noqa: F401 — fixtures


@pytest.fixture
def tree(home) -> Tree:  # noqa: F811
    """A champion that decides nine of ten rows rightly."""
    made = Tree(home)
    register_model(made, predictions(0.9))
    assert champions.promote(made.folder, "fnn").decision.is_promoted
    return made


def register_model(tree, table):
    tree.run(table)
    return register(tree.folder, "fnn")


def known(tree) -> Registry:
    return Registry(store.connect(tree.folder))


def promotion_tag(tree, version: int) -> str:
    found = known(tree).store.client.get_model_version("fnn", str(version))
    first, second = found.description.split("\n\n")[:2]
    assert first.replace("\\", "") == f"Promotion: {found.tags['promotion']}."
    assert second.startswith("Main metric: ")
    return found.tags["promotion"]


def test_the_first_champion_is_compared_with_none_and_a_better_one_follows_it(tree):
    assert promotion_tag(tree, 1) == (
        "promoted: the first champion, there was none to compare it with"
    )
    assert known(tree).aliases("fnn") == {CHAMPION: 1}
    register_model(tree, predictions(0.97))
    outcome = champions.promote(tree.folder, "fnn")
    assert (outcome.champion, outcome.candidate) == (1, 2)
    assert outcome.decision.main["verdict"] == "better"
    assert known(tree).aliases("fnn") == {CHAMPION: 2, PREVIOUS: 1}
    assert promotion_tag(tree, 2).startswith("promoted: auroc +0.0")


def test_a_worse_one_is_refused_with_the_difference_and_stays_candidate(tree):
    register_model(tree, predictions(0.8))
    decision = champions.promote(tree.folder, "fnn").decision
    main = decision.main
    assert main["high"] < 0
    assert decision.refusals[0].startswith(f"auroc is worse by {main['value']:+.3g} [")
    assert known(tree).aliases("fnn") == {CHAMPION: 1, CANDIDATE: 2}
    assert promotion_tag(tree, 2).startswith("not promoted: auroc is worse by -")


def test_one_within_noise_is_promoted(tree):
    register_model(tree, predictions(0.88, of_b=0.92))
    decision = champions.promote(tree.folder, "fnn").decision
    assert decision.main["verdict"] == "within noise"
    assert decision.is_promoted


def test_a_better_one_whose_gap_grows_is_refused_with_the_gap(tree):
    register_model(tree, predictions(1.0, of_b=0.86))
    decision = champions.promote(tree.folder, "fnn").decision
    assert decision.main["verdict"] in ("better", "within noise")
    (refusal,) = decision.refusals
    assert "group gaps grow beyond the margin: " in refusal
    assert "difference by sex from 0 to 0.14, margin 0.1" in refusal
    assert known(tree).champion("fnn") == 1


@pytest.mark.slow
def test_identical_predictions_are_no_reason_against_it(tree):
    register_model(tree, predictions(0.9))
    decision = champions.promote(tree.folder, "fnn").decision
    assert decision.sentence() == "its predictions are those of the champion"
    assert known(tree).champion("fnn") == 2


def test_other_test_rows_are_refused_with_the_reason(tree):
    other = predictions(0.97)
    ids = "t" + other.table["sample_id"].str[1:]
    register_model(tree, replace(other, table=other.table.assign(sample_id=ids)))
    decision = champions.promote(tree.folder, "fnn").decision
    (refusal,) = decision.refusals
    assert refusal.startswith("the two cannot be compared: compare: test rows of b must be the 400")
    assert known(tree).champion("fnn") == 1


def test_predictions_that_are_gone_from_the_cache_are_no_licence(tree):
    register_model(tree, predictions(0.97))
    first = known(tree).versions("fnn")[0].tags["dvc.predictions"]
    dvc_files.cached(tree.folder, first).unlink()
    assert dvc_files.content_hash(tree.folder / PREDICTIONS) != first
    (refusal,) = champions.promote(tree.folder, "fnn").decision.refusals
    assert "a predictions table is not in DVC's cache" in refusal


@pytest.mark.slow
def test_rollback_goes_back_step_by_step_and_forward_again(tree):
    for accuracy in (0.93, 0.97):
        register_model(tree, predictions(accuracy))
        assert champions.promote(tree.folder, "fnn").decision.is_promoted
    assert champions.roll_back(tree.folder, "fnn") == (3, 2)
    assert champions.roll_back(tree.folder, "fnn") == (2, 1)
    assert promotion_tag(tree, 2) == "rolled back to version 1"
    with pytest.raises(ArtifactError, match="got version 1 as the only one; nothing is changed"):
        champions.roll_back(tree.folder, "fnn")
    assert register(tree.folder, "fnn").alias == CANDIDATE
    assert champions.promote(tree.folder, "fnn").candidate == 3
    assert champions.roll_back(tree.folder, "fnn") == (3, 1)


@pytest.mark.slow
def test_without_a_candidate_or_with_tampered_reports_nothing_is_promoted(tree):
    with pytest.raises(ArtifactError) as caught:
        champions.promote(tree.folder, "fnn")
    assert str(caught.value) == (
        "promote: model 'fnn' must have a candidate, got none; run plumbline register"
    )
    register_model(tree, predictions(0.97))
    client = known(tree).store.client
    version = client.get_model_version_by_alias("fnn", CANDIDATE)
    place = tree.files(version) / evidence.FOLDER
    audit = place / "audit.json"
    audit.write_text(audit.read_text() + "\n")
    with pytest.raises(ArtifactError) as caught:
        champions.promote(tree.folder, "fnn")
    assert str(caught.value) == (
        "promote: version 2 of 'fnn' must have the audit.json that was attached to it, got "
        "another; register the model again"
    )


def test_registered_versions_are_compared_like_others(tree):
    register_model(tree, predictions(0.97))
    for word in (f"models:/fnn@{CANDIDATE}", "models:/fnn/2"):
        version = find.find(tree.folder, word)
        assert version.models["fnn"].gate == "PASS"
        assert version.models["fnn"].params["hidden"] == "[2]"
        assert version.models["fnn"].predictions is not None
    with pytest.raises(ArtifactError, match="must be models:/<name>@<alias> or models"):
        find.find(tree.folder, "models:/fnn@nobody")


@pytest.mark.slow
def test_a_moved_work_tree_promotes_without_a_network(tree, tmp_path):
    register_model(tree, predictions(0.97))
    moved = tmp_path / "moved"
    shutil.move(tree.folder, moved)
    assert champions.promote(moved, "fnn").decision.is_promoted
    assert champions.roll_back(moved, "fnn") == (2, 1)
