import json
import shutil

import pytest

from plumbline.errors import ArtifactError, GateError
from plumbline.runs import findings
from plumbline.tracking import store
from plumbline.tracking.registry import evidence
from plumbline.tracking.registry.register import register
from plumbline.tracking.registry.registry import CANDIDATE, CHAMPION, Registry
from plumbline.verify import lineage
from tests.registered import AUDIT_FILE, CARD_FILE, RULE, Tree, predictions

# Real SQLite stores; the pipeline is made by `tests.registered`.


@pytest.fixture
def tree(home) -> Tree:
    made = Tree(home)
    made.run(predictions(0.9))
    return made


@pytest.fixture
def registry(home):
    return lambda: Registry(store.connect(home))


def test_the_model_of_the_lock_becomes_a_version_with_alias_description_and_reports(tree, registry):
    tree.run(predictions(0.8))
    tree.run(predictions(0.9), deliver=True)
    made = register(tree.folder, "fnn")
    assert (made.name, made.version, made.is_new, made.alias) == ("fnn", 1, True, CANDIDATE)
    client = registry().store.client
    version = client.get_model_version_by_alias("fnn", CANDIDATE)
    logged = client.get_logged_model(version.tags["plumbline.logged_model"])
    lock = (tree.folder / "dvc.lock").read_text()
    assert version.tags["plumbline.digest"] == logged.tags["plumbline.digest"]
    assert f"md5: {logged.tags['plumbline.digest']}\n" in lock
    assert f"md5: {version.tags['dvc.predictions']}\n" in lock
    assert version.run_id == logged.source_run_id
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [{"name": "fnn", "version": "1"}]
    assert version.tags["main metric"].startswith("auroc 0.9")
    assert (version.tags["gate"], version.tags["dataset"]) == ("PASS", "tabular")
    first, gap, gate, links = version.description.split("\n\n")
    assert first == f"Main metric: **{_markdown(version.tags['main metric'])}**."
    assert gap.startswith(f"Largest group gap: **{version.tags['verdict']}**, ")
    assert gate == "Gate: **PASS** (1 passed, 0 warned, 0 failed)."
    run, model_id = version.tags["plumbline.model_run"], version.tags["plumbline.logged_model"]
    assert f"/models/{model_id}/artifacts?" in links
    assert f"/runs/{run}?" in links
    assert client.get_run(run).data.tags["dvc.model"] == version.tags["plumbline.digest"]
    listed = client.list_logged_model_artifacts(model_id, evidence.FOLDER)
    attached = {item.path for item in listed}
    assert attached == {f"{evidence.FOLDER}/{name}" for name in evidence.FILES}
    place = tree.files(version) / evidence.FOLDER
    assert (place / "card.md").read_text() == "# Card 3\n"


def _markdown(text: str) -> str:
    return text.replace("[", "\\[").replace("]", "\\]").replace("_", "\\_")


def test_the_same_model_makes_no_second_version_but_its_reports_are_brought_up_to_date(
    tree, registry
):
    register(tree.folder, "fnn")
    known = registry()
    known.make_champion("fnn", 1)
    known.remove_alias("fnn", CANDIDATE)
    tree.write_policy([RULE, {**RULE, "quantity": "accuracy", "min": 0.99, "missed": "warn"}])
    made = register(tree.folder, "fnn")
    assert (made.version, made.is_new, made.alias) == (1, False, CHAMPION)
    (version,) = known.versions("fnn")
    assert version.tags["gate"] == "WARN"
    assert "1 passed, 1 warned, 0 failed" in version.description
    assert known.aliases("fnn") == {CHAMPION: 1}


def test_another_name_is_a_registered_model_of_its_own(tree, registry):
    assert register(tree.folder, "fnn", name="risk of progression").name == "risk of progression"
    assert registry().aliases("risk of progression") == {CANDIDATE: 1}
    assert registry().aliases("fnn") == {}
    with pytest.raises(ArtifactError, match=r"^register: name must be of letters.*got 'a/b'$"):
        register(tree.folder, "fnn", name="a/b")


def test_a_model_that_fails_a_rule_is_refused_with_the_rule_and_nothing_is_registered(
    tree, registry
):
    tree.write_policy([{**RULE, "min": 0.99}, {**RULE, "quantity": "accuracy", "min": 0.2}])
    with pytest.raises(GateError) as caught:
        register(tree.folder, "fnn")
    assert str(caught.value).startswith(
        "register: model 'fnn' must pass the gate, got fnn auroc must be >= 0.99 (engineering, us: "
        "better than chance), got 0.9"
    )
    assert "accuracy" not in str(caught.value)
    assert caught.value.exit_code == 8
    assert registry().versions("fnn") == []


def test_a_rule_that_has_expired_and_one_of_no_rule_refuse_too(tree):
    tree.write_policy([{**RULE, "expires": "2020-01-31"}])
    with pytest.raises(GateError, match="must not be past its expiry"):
        register(tree.folder, "fnn")
    tree.write_policy([{**RULE, "model": "baseline"}])
    with pytest.raises(GateError) as caught:
        register(tree.folder, "fnn")
    assert str(caught.value) == (
        "register: policy.yaml must have a rule that applies to 'fnn', got none; add one: what no "
        "rule is about passes no gate"
    )


@pytest.mark.parametrize(("path", "stage"), [(CARD_FILE, "card@fnn"), (AUDIT_FILE, "audit@fnn")])
def test_a_report_that_is_not_the_one_of_the_lock_is_refused(tree, path, stage):
    with (tree.folder / path).open("a") as stream:
        stream.write("\n")
    with pytest.raises(ArtifactError) as caught:
        register(tree.folder, "fnn")
    assert str(caught.value) == (
        f"register: {path} must be as dvc.lock records it, got other content; run plumbline repro "
        f"{stage}"
    )


def test_an_evaluation_of_another_model_is_refused(tree):
    lock = (tree.folder / "dvc.lock").read_text()
    (digest,) = {one.tags["plumbline.digest"] for one in _logged(tree)}
    entry = "- path: data/models/fnn\n      md5: "
    changed = lock.replace(f"{entry}{digest}", f"{entry}0", 1)
    assert changed != lock
    (tree.folder / "dvc.lock").write_text(changed)
    with pytest.raises(ArtifactError, match=r"^register: data/predictions/fnn.parquet must be made "
                       "of the data/models/fnn that dvc.lock records, got another"):  # fmt: skip
        register(tree.folder, "fnn")


def _logged(tree):
    opened = store.connect(tree.folder)
    return opened.client.search_logged_models([opened.experiment])


def test_a_model_that_mlflow_does_not_have_is_refused_however_many_others_it_has(tree, home):
    tree.run(predictions(0.85), deliver=False)
    with pytest.raises(ArtifactError) as caught:
        register(tree.folder, "fnn")
    assert str(caught.value) == (
        f"register: fnn of dvc.lock must be logged in sqlite:///{home}/mlflow.db, got no model "
        "with its hash; plumbline sync --rebuild logs it"
    )


def test_a_store_that_does_not_answer_or_is_not_there_is_one_line(tree, home, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:secret@127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ArtifactError) as caught:
        register(tree.folder, "fnn")
    said = str(caught.value)
    assert said.startswith("register: store http://127.0.0.1:1 must answer, got MlflowException")
    assert "secret" not in said
    assert "\n" not in said
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home}/other.db")
    with pytest.raises(ArtifactError, match="must exist, got none; run plumbline sync"):
        register(tree.folder, "fnn")
    assert not (home / "other.db").exists()


def test_a_moved_work_tree_registers_and_checks_what_is_there(tree, tmp_path):
    register(tree.folder, "fnn")
    moved = tmp_path / "moved here"
    shutil.move(tree.folder, moved)
    assert register(moved, "fnn").is_new is False
    client = store.client_of(moved)
    uri = client.get_model_version_download_uri("fnn", "1")
    assert uri.startswith(moved.as_uri())


def test_lineage_holds_with_versions_and_names_what_was_changed_in_them(tree, registry):
    register(tree.folder, "fnn")
    assert _breaks(tree) == []
    (version,) = registry().versions("fnn")
    place = tree.files(version)
    (place / "registered_model_meta").write_text("model_name: fnn\n")  # MLflow, when it loads one
    assert _breaks(tree) == []
    (place / evidence.FOLDER / "card.md").write_text("# A better card\n")
    assert _breaks(tree) == ["version 1 of fnn file card.md"]
    register(tree.folder, "fnn")
    assert _breaks(tree) == []
    client = registry().store.client
    client.set_model_version_tag("fnn", "1", "plumbline.digest", "0")
    assert _breaks(tree) == ["version 1 of fnn tag plumbline.digest"]


def test_versions_of_other_tools_are_left_alone(tree, registry):
    client = registry().store.client
    client.create_registered_model("theirs")
    client.create_model_version("theirs", (tree.folder / "data").as_uri())
    assert _breaks(tree) == []


def _breaks(tree) -> list[str]:
    checks = (findings.VERSION_MODEL, findings.LOCK_MODEL_RUN, findings.RUN_ARTIFACTS)
    return [one.what for one in lineage.examine(tree.folder).breaks if one.where in checks]
