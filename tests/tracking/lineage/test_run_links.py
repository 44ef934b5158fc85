"""Every link of a real pipeline, cut one at a time: the thing is named, the exit code is 1.

The pipeline is made once; each tampering is undone.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plumbline.cli import main
from plumbline.runs import dvc_files, findings, record_files
from plumbline.tracking import sync
from plumbline.verify import lineage
from tests.toy import Toy
from tests.tracking.conftest import View

CARD = """
from pathlib import Path

from plumbline import artifacts, stage
from plumbline.reporting.references import Book, separate


def main(run):
    value = Book(Path.cwd()).at("reports/metrics/fnn.json", "metrics", "auroc", "value")
    text, entries = separate(f"AUROC {value.markdown()}\\n")
    artifacts.write_text(run.out(Path("reports/cards/fnn.md")), text)
    artifacts.write_json(run.out(Path("reports/cards/fnn.refs.json")), entries)
    for name in ("one", "two"):
        path = run.out(Path("reports/pages")) / f"{name} page.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)


if __name__ == "__main__":
    stage.execute(main)
"""
STAGE = """
  card:
    cmd: python pipelines/card.py
    deps: [pipelines/card.py, code, reports/metrics/fnn.json]
    outs: [reports/cards/fnn.md, reports/cards/fnn.refs.json, reports/pages]
"""


@pytest.fixture(scope="module")
def proof(tmp_path_factory, template) -> Iterator[Toy]:
    """A pipeline of three stages, run by DVC and delivered to a store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        folder = tmp_path_factory.mktemp("proof") / "home"
        folder.mkdir()
        for part in template.parent.glob("mlflow.db*"):
            shutil.copy(part, folder)
        toy = Toy(folder)
        with (folder / "dvc.yaml").open("a") as stream:
            stream.write(STAGE)
        (folder / "pipelines/card.py").write_text(CARD)
        toy.commit()
        toy.repro()
        sync.sync(folder)
        toy.view = View(folder)
        yield toy


def breaks(toy: Toy) -> list[tuple[str, str]]:
    return [(f.where, f.what) for f in lineage.examine(toy.folder).breaks]


@contextmanager
def replaced(path: Path, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """Another file in the place of one; what is linked to the old one keeps its bytes."""
    before = path.read_bytes()
    after = change(before)
    assert after != before
    path.unlink()
    path.write_bytes(after)
    yield
    path.unlink()
    path.write_bytes(before)


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def swapped(old: str, new: str) -> Callable[[bytes], bytes]:
    return lambda content: content.replace(old.encode(), new.encode())


def local(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def test_links_of_an_untouched_pipeline_hold_and_the_exit_code_is_0(proof, capsys):
    assert main.main(["verify", "lineage", "--root", str(proof.folder)]) == 0
    out = capsys.readouterr().out
    assert " links hold, 0 broken, 0 superseded" in out
    for check in (findings.LOCK_FILES, findings.LOCK_RUN, findings.RUN_RECORD,
                 findings.RUN_ARTIFACTS,
                 findings.CARD_NUMBERS, findings.RUN_LOCK):  # fmt: skip
        assert check in out


def test_the_json_form_tells_the_same(proof, capsys):
    root = ["--root", str(proof.folder)]
    assert main.main(["verify", "lineage", "--format", "json", *root]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["findings"], told["broken"]) == ([], 0)
    assert set(told["passed"]) == set(findings.CHECKS)
    path = proof.folder / "reports/metrics/fnn.json"
    with replaced(path, swapped("0.75", "0.76")):
        assert main.main(["verify", "lineage", "--format", "json", *root]) == 1
    told = json.loads(capsys.readouterr().out)
    assert {"reports/metrics/fnn.json"} <= {finding["what"] for finding in told["findings"]}
    assert told["broken"] == len(told["findings"])


@pytest.mark.parametrize("part", ["deps", "outs"])
def test_a_hash_flipped_in_the_lock_is_named_with_the_run_that_says_otherwise(proof, part):
    entry = dvc_files.read_lock(proof.folder)["evaluate@fnn"]
    path, digest = next(iter(getattr(entry, part).items()))
    wrong = ("0" if digest[0] != "0" else "1") + digest[1:]
    run = proof.view.one("evaluate@fnn").info.run_id
    lines = (proof.folder / "dvc.lock").read_text().splitlines(keepends=True)
    start = lines.index("  evaluate@fnn:\n")
    spot = next(i for i in range(start, len(lines)) if digest in lines[i])
    lines[spot] = lines[spot].replace(digest, wrong)
    with replaced(proof.folder / "dvc.lock", lambda _: "".join(lines).encode()):
        found = breaks(proof)
    kind = part[:-1]
    assert (findings.LOCK_FILES, path) in found
    assert (findings.LOCK_RUN, f"evaluate@fnn run {run} tag {kind}.{path}") in found


def test_a_parameter_changed_in_the_lock_is_named(proof):
    run = proof.view.one("train_fnn").info.run_id
    with replaced(proof.folder / "dvc.lock", swapped("dropout: 0.2", "dropout: 0.3")):
        found = breaks(proof)
    assert (findings.LOCK_RUN, f"train_fnn run {run} tag params.train_fnn") in found


def test_a_command_changed_in_the_lock_is_named_by_the_key_of_the_entry(proof):
    run = proof.view.one("train_fnn").info.run_id
    change = swapped("cmd: python pipelines/train.py fnn", "cmd: python pipelines/train.py gan")
    with replaced(proof.folder / "dvc.lock", change):
        found = breaks(proof)
    assert found == [(findings.LOCK_RUN, f"train_fnn run {run} tag dvc.stage_key")]


def test_an_output_with_other_bytes_is_named(proof):
    path = "data/predictions/fnn.parquet"
    with replaced(proof.folder / path, flip):
        assert breaks(proof) == [(findings.LOCK_FILES, path)]


def test_the_file_of_an_output_folder_is_named_not_the_folder_alone(proof):
    with replaced(proof.folder / "data/models/fnn/model.safetensors", flip):
        assert breaks(proof) == [(findings.LOCK_FILES, "data/models/fnn/model.safetensors")]
    with replaced(proof.folder / "reports/pages/two page.txt", flip):
        assert (findings.LOCK_FILES, "reports/pages/two page.txt") in breaks(proof)
    extra = proof.folder / "data/models/fnn/more.txt"
    extra.write_text("x")
    assert breaks(proof) == [(findings.LOCK_FILES, "data/models/fnn/more.txt")]
    extra.unlink()


def test_a_source_edited_since_is_named_as_far_as_git_knows_it(proof):
    with replaced(proof.folder / "code/library.py", swapped("False", "None ")):
        assert breaks(proof) == [(findings.LOCK_FILES, "code/library.py")]


def test_a_missing_output_is_named(proof):
    path = proof.folder / "data/predictions/fnn.parquet"
    aside = path.with_suffix(".aside")
    path.rename(aside)
    assert breaks(proof) == [(findings.LOCK_FILES, "data/predictions/fnn.parquet")]
    aside.rename(path)


@pytest.mark.parametrize(
    "tag",
    ["out.data/models/fnn", "dep.code", "params.seed", "git.commit", "environment",
     "plumbline.seed", "dvc.stage_key", "plumbline.key"],
)  # fmt: skip
def test_a_tag_that_somebody_set_is_named(proof, tag):
    run = proof.view.one("train_fnn")
    proof.view.client.set_tag(run.info.run_id, tag, "tampered")
    try:
        things = [thing for _, thing in breaks(proof)]
    finally:
        proof.view.client.set_tag(run.info.run_id, tag, run.data.tags[tag])
    named = "record tampered" if tag == "plumbline.key" else f"tag {tag}"
    assert f"train_fnn run {run.info.run_id} {named}" in things


def test_a_tag_that_claims_an_output_more_is_named(proof):
    run = proof.view.one("evaluate@fnn").info.run_id
    proof.view.client.set_tag(run, "out.data/other", "0" * 32)
    assert breaks(proof) == [(findings.RUN_RECORD, f"evaluate@fnn run {run} tag out.data/other")]
    proof.view.client.delete_tag(run, "out.data/other")


def test_an_artifact_with_other_bytes_in_the_store_is_named(proof):
    run = proof.view.one("evaluate@fnn")
    name = "reports/metrics/fnn.json"
    with replaced(local(run.info.artifact_uri) / name, flip):
        thing = f"evaluate@fnn run {run.info.run_id} artifact {name}"
        assert breaks(proof) == [(findings.RUN_ARTIFACTS, thing)]


def test_the_file_of_an_artifact_folder_is_named_and_so_is_one_that_is_gone(proof):
    run = proof.view.one("card")
    folder = local(run.info.artifact_uri) / "reports/pages"
    thing = f"card run {run.info.run_id} artifact reports/pages"
    with replaced(folder / "one page.txt", flip):
        assert breaks(proof) == [(findings.RUN_ARTIFACTS, f"{thing} file one page.txt")]
    folder.rename(folder.with_name("aside"))
    assert breaks(proof) == [(findings.RUN_ARTIFACTS, thing)]
    folder.with_name("aside").rename(folder)


def test_weights_with_other_bytes_in_the_store_are_named(proof):
    run = proof.view.one("train_fnn")
    (output,) = run.outputs.model_outputs
    model = proof.view.client.get_logged_model(output.model_id)
    with replaced(local(model.artifact_location) / "model.safetensors", flip):
        thing = (
            f"train_fnn run {run.info.run_id} model data/models/fnn ({output.model_id}) "
            "file model.safetensors"
        )
        assert breaks(proof) == [(findings.RUN_ARTIFACTS, thing)]


def test_a_number_changed_in_a_card_is_named_with_the_card(proof):
    path = "reports/cards/fnn.md"
    with replaced(proof.folder / path, swapped("0.750", "0.850")):
        found = breaks(proof)
    assert (findings.LOCK_FILES, path) in found
    place = "reports/metrics/fnn.json#metrics.auroc.value"
    assert (findings.CARD_NUMBERS, f"{path} on {place}") in found


def test_a_deleted_run_is_named_with_its_cure_and_the_cure_works(proof, capsys):
    run = proof.view.one("evaluate@fnn").info.run_id
    proof.view.client.delete_run(run)
    (finding,) = lineage.examine(proof.folder).breaks
    assert (finding.where, finding.what) == (findings.LOCK_RUN, "evaluate@fnn")
    assert finding.note.endswith("`plumbline sync --rebuild` makes it again from the run records")
    assert main.main(["sync", "--rebuild", "--root", str(proof.folder)]) == 0
    assert breaks(proof) == []


def test_a_rebuild_mends_tags_artifacts_and_weights(proof):
    run = proof.view.one("train_fnn")
    proof.view.client.set_tag(run.info.run_id, "dep.code", "tampered")
    proof.view.client.set_tag(run.info.run_id, "environment", "false")
    (output,) = run.outputs.model_outputs
    model = proof.view.client.get_logged_model(output.model_id)
    weights = local(model.artifact_location) / "model.safetensors"
    weights.write_bytes(flip(weights.read_bytes()))
    history = local(run.info.artifact_uri) / "reports/history/fnn.csv"
    history.unlink()
    assert len(breaks(proof)) >= 4
    sync.sync(proof.folder, rebuild=True)
    assert breaks(proof) == []


def test_a_deleted_record_is_named(proof):
    folder = next(f for f in record_files.read_all(proof.folder) if "train_fnn" in f.name)
    run = proof.view.one("train_fnn").info.run_id
    folder.rename(folder.with_name(f"aside-{folder.name}"))
    aside = folder.with_name(f"aside-{folder.name}")
    try:
        thing = f"train_fnn run {run} record {folder.name}"
        assert breaks(proof) == [(findings.RUN_RECORD, thing)]
    finally:
        aside.rename(folder)


def test_a_file_kept_with_a_record_is_compared_with_it(proof):
    folder = next(f for f in record_files.read_all(proof.folder) if "evaluate" in f.name)
    run = proof.view.one("evaluate@fnn").info.run_id
    name = "reports/metrics/fnn.json"
    with replaced(folder / "files" / name, flip):
        thing = f"evaluate@fnn run {run} record {folder.name} file {name}"
        assert (findings.RUN_RECORD, thing) in breaks(proof)


def test_a_store_that_is_not_there_is_told_and_not_made(proof, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{proof.folder}/none.db")
    (finding,) = lineage.examine(proof.folder).breaks
    assert finding.what == f"store sqlite:///{proof.folder}/none.db"
    assert not (proof.folder / "none.db").exists()


def test_a_work_tree_without_a_lock_has_nothing_to_verify(tmp_path, caplog):
    assert main.main(["verify", "lineage", "--root", str(tmp_path)]) == 4
    assert caplog.messages == [
        "verify lineage: dvc.lock must record a stage, got none; run the pipeline first"
    ]


@pytest.mark.slow
def test_references_lead_to_their_run_and_older_runs_are_superseded(toy, view):
    for seed in (42, 7, 42):
        toy.seed(seed)
        toy.repro()
        sync.sync(toy.folder)
    book = lineage.examine(toy.folder)
    assert book.breaks == []
    _, other, again = view().runs("train_fnn")
    superseded = {finding.what for finding in book.findings}
    assert f"train_fnn run {other.info.run_id}" in superseded
    assert len(superseded) == 2
    assert book.passed[findings.REFERENCE_RUN] > 0

    source = again.data.tags["dvc.source_run"]
    thing = f"train_fnn run {again.info.run_id} source {source}"
    view().client.set_tag(source, "dep.code", "tampered")
    assert (findings.REFERENCE_RUN, f"{thing} tag dep.code") in breaks(toy)
    view().client.delete_run(source)
    assert (findings.REFERENCE_RUN, thing) in breaks(toy)
    sync.sync(toy.folder, rebuild=True)
    assert breaks(toy) == []


def test_a_model_run_that_is_gone_or_was_changed_is_named(proof):
    (run,) = proof.view.model_runs("fnn")
    assert lineage.examine(proof.folder).passed[findings.LOCK_MODEL_RUN] > 20  # parameters, files
    name = f"fnn run {run.info.run_id}"
    with replaced(local(run.info.artifact_uri) / "cards/fnn.md", flip):
        assert breaks(proof) == [(findings.LOCK_MODEL_RUN, f"{name} artifact reports/cards/fnn.md")]
    proof.view.client.log_metric(run.info.run_id, "test/auroc", 0.9)
    assert breaks(proof) == [(findings.LOCK_MODEL_RUN, f"{name} metric test/auroc")]
    proof.view.client.set_tag(run.info.run_id, "dvc.model", "0")
    assert breaks(proof) == [(findings.LOCK_MODEL_RUN, "fnn")]
    proof.view.client.set_tag(run.info.run_id, "dvc.model", run.data.tags["dvc.model"])
    proof.view.client.delete_run(run.info.run_id)
    (finding,) = lineage.examine(proof.folder).breaks
    assert finding.note == (
        "must have a model run with its hashes, got none; `plumbline sync --rebuild` makes it "
        "again from the run records"
    )
    sync.sync(proof.folder, rebuild=True)
    assert breaks(proof) == []
