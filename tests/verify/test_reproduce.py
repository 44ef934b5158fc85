import copy
import json
import os
import platform
import shutil
import sys
import tempfile

import pytest
import yaml

from plumbline import artifacts, errors, params
from plumbline.runs import dvc_files, provenance
from plumbline.runs.findings import Finding
from plumbline.verify import reproduce, tolerances
from plumbline.verify.causes import Cause
from plumbline.verify.tolerances import Tolerance
from tests.toy import ROOT, Toy

MEASURED = ("metrics", "reference")
NATIVE = Cause("machine", "native kernels")
WITHIN = "± 0.03 + 10% of metrics and reference"


def entry(outs: dict, deps: dict | None = None) -> dvc_files.LockEntry:
    return dvc_files.LockEntry("cmd", deps or {}, {}, outs)


def test_equal_hashes_are_bitwise_and_others_are_broken_by_name(tmp_path):
    old = {"train": entry({"a": "1" * 32, "b": "2" * 32}), "gone": entry({"x": "0"})}
    new = {"train": entry({"a": "1" * 32, "b": "3" * 32}), "more": entry({"y": "0"})}
    found = tolerances.compare(old, new, tmp_path, tmp_path)
    assert found == [
        Finding("train", "a", "bitwise", "1" * 12),
        Finding("train", "b", "broken", f"bytes differ; {'2' * 12} became {'3' * 12}"),
        Finding("gone", "", "broken", "stage is missing from the new run"),
        Finding("more", "", "broken", "stage is missing from the lock"),
    ]
    assert [finding.broken for finding in found] == [False, True, True, True]


def test_an_output_of_one_side_only_is_told(tmp_path):
    (found,) = tolerances.compare({"s": entry({})}, {"s": entry({"a": "1"})}, tmp_path, tmp_path)
    assert (found.verdict, found.note) == ("broken", "output of one of them only")


def test_a_lock_older_than_its_code_is_named(tmp_path):
    old = {"s": entry({"out": "1"}, {"code": "a", "data": "b"}), "t": entry({"data": "b"})}
    new = {"s": entry({"out": "2"}, {"code": "A", "data": "B"}), "t": entry({"data": "B"})}
    first, _ = tolerances.compare(old, new, tmp_path, tmp_path)
    assert first.note == "bytes differ; lock is older than code"


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.52, "within tolerance"), (0.7, "broken"), (None, "broken")]
)
def test_another_machine_is_judged_by_the_tolerance_of_the_kind(tmp_path, value, verdict):
    path = "reports/metrics/fnn.json"
    for name, number in (("old", 0.5), ("new", value)):
        artifacts.write_json(tmp_path / name / path, {"n": 10, "metrics": {"auroc": number}})
    old, new = {"e": entry({path: "1"})}, {"e": entry({path: "2"})}
    roots = tmp_path / "old", tmp_path / "new"
    (found,) = tolerances.compare(old, new, *roots, causes={"e": NATIVE})
    assert found.verdict == verdict


def test_files_without_a_tolerance_are_not_compared_on_another_machine(tmp_path):
    old, new = {"e": entry({"data/m": "1"})}, {"e": entry({"data/m": "2"})}
    (found,) = tolerances.compare(old, new, tmp_path, tmp_path, causes={"e": NATIVE})
    assert (found.verdict, found.note) == ("not compared", "other bits: native kernels; 1 became 2")


def test_every_output_of_the_pipeline_is_of_a_kind_and_every_kind_has_outputs():
    outs = [out for spec in dvc_files.stages(ROOT).values() for out in spec.outs]
    kinds = {out: tolerances.kind_of(out) for out in outs}
    assert [out for out, kind in kinds.items() if kind is None] == []
    assert set(kinds.values()) == set(tolerances.KINDS)
    assert kinds["reports/metrics/gan.json"].elsewhere == Tolerance(0.05, 0.5, MEASURED)
    assert kinds["reports/metrics/fnn.json"].elsewhere == Tolerance(0.03, 0.1, MEASURED)
    assert kinds["data/models/fnn"].elsewhere is None
    assert tolerances.kind_of("src/x.py") is None


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (0.52, f"bytes differ, its numbers by less than {WITHIN}; 1 became 2"),
        (0.7, "bytes differ, metrics.auroc is 0.7, expected 0.5 ± 0.08; 1 became 2"),
    ],
)
def test_on_the_same_machine_other_bits_are_broken_however_near_they_are(tmp_path, value, note):
    path = "reports/metrics/fnn.json"
    for name, number in (("old", 0.5), ("new", value)):
        artifacts.write_json(tmp_path / name / path, {"metrics": {"auroc": number}})
    old, new = {"e": entry({path: "1"})}, {"e": entry({path: "2"})}
    (found,) = tolerances.compare(old, new, tmp_path / "old", tmp_path / "new")
    assert (found.verdict, found.note) == ("broken", note)


def test_numbers_of_tables_and_reports_are_compared_one_by_one(tmp_path):
    one, two = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text("epoch,loss\n0,1.0\n1,\n")
    two.write_text("epoch,loss\n0,1.05\n1,\n")
    assert tolerances.difference(one, two, Tolerance(0.1, 0)) == ""
    assert tolerances.difference(one, two, Tolerance(0.01, 0)) == (
        "row 1 loss is 1.05, expected 1 ± 0.01"
    )
    two.write_text("epoch,loss\n0,1.0\n")
    assert tolerances.difference(one, two, Tolerance(1, 1)) == (
        "row 2 epoch is in one of them only"
    )
    artifacts.write_json(tmp_path / "a.json", {"gaps": [{"value": 1.0}], "rows": [5], "ok": True})
    artifacts.write_json(tmp_path / "b.json", {"gaps": [{"value": 1.0}], "rows": [9], "ok": False})
    only = Tolerance(0, 0, only=("gaps",))
    assert tolerances.difference(tmp_path / "a.json", tmp_path / "b.json", only) == ""


def test_the_environment_names_no_place_time_or_host(root, tmp_path):
    trainer = params.load(root / "params.yaml").trainer
    text = json.dumps(provenance.environment(tmp_path, trainer))
    for private in (os.uname().nodename + '"', str(tmp_path), os.path.expanduser("~") + "/"):
        assert private not in text


@pytest.mark.parametrize(
    ("text", "clones", "message"),
    [
        (
            "seed: 1",
            1,
            "verify: --params must come with --clones 2, got 1 clone; the committed dvc.lock was "
            "made with other parameters",
        ),
        ("[1]", 2, "verify: --params must hold a mapping, got list"),
    ],
)
def test_an_unfit_overlay_is_refused(tmp_path, text, clones, message):
    path = tmp_path / "over.yaml"
    path.write_text(text)
    with pytest.raises(errors.ParamsError) as caught:
        reproduce.run(tmp_path, overlays=[path], clones=clones)
    assert str(caught.value) == message


def test_a_missing_overlay_or_commit_or_lock_is_named(tmp_path):
    with pytest.raises(errors.ParamsError, match=r"^verify: --params must be a readable YAML file"):
        reproduce.run(tmp_path, overlays=[tmp_path / "none.yaml"], clones=2)
    bare = tmp_path / "bare"
    bare.mkdir()
    with pytest.raises(errors.ArtifactError) as caught:
        reproduce.run(bare)
    assert str(caught.value) == ("verify: bare must be a git repository with a commit, got none")
    toy = Toy(tmp_path / "toy")
    with pytest.raises(errors.ArtifactError) as caught:
        reproduce.run(toy.folder)
    assert str(caught.value) == (
        "verify: dvc.lock must be committed, got none at HEAD; run the pipeline and commit it"
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    toy = Toy(tmp_path_factory.mktemp("made") / "toy", sources=True, lab=True)
    toy.repro("-P")
    provenance.write_environment(toy.folder, params.load(toy.folder / "params.yaml").trainer)
    toy.commit()
    return toy


@pytest.fixture
def locked(made, tmp_path, monkeypatch):
    """A copy of a repository whose lock was made by a run of its own."""
    toy = copy.copy(made)
    toy.folder = shutil.copytree(made.folder, tmp_path / "toy")
    for name in list(os.environ):
        if name.startswith("DVC_"):
            monkeypatch.delenv(name)
    return toy


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_clean_clone_repeats_every_output_bit_for_bit(locked, capsys, caplog, jobs):
    """Whether its stages run one after another or side by side."""
    with caplog.at_level("INFO"):
        assert reproduce.run(locked.folder, jobs=jobs) == 0
    out = capsys.readouterr().out
    assert "6 bitwise" in out
    assert "compared bit by bit" in caplog.text


@pytest.mark.slow
def test_a_tampered_lock_is_found_and_named(locked, capsys):
    path = locked.folder / "dvc.lock"
    value = dvc_files.read_lock(locked.folder)["train_fnn"].outs["data/models/fnn"]
    path.write_text(path.read_text().replace(value, "0" * 32 + ".dir"))
    locked.commit()
    assert reproduce.run(locked.folder) == 1
    assert "broken: train_fnn data/models/fnn" in capsys.readouterr().out


@pytest.mark.slow
def test_another_machine_s_lock_is_compared_within_tolerance(locked, capsys, caplog):
    """A lock with other weights and a metric a little off, as another processor leaves it."""
    note = locked.folder / provenance.ENVIRONMENT
    artifacts.write_json(note, {**json.loads(note.read_text()), "libc": "another"})
    report = locked.folder / "reports/metrics/fnn.json"
    report.write_text(report.read_text().replace("0.75", "0.76"))
    path = locked.folder / "dvc.lock"
    old = dvc_files.read_lock(locked.folder)
    text = path.read_text().replace(
        old["evaluate@fnn"].outs["reports/metrics/fnn.json"], dvc_files.content_hash(report)
    )
    path.write_text(text.replace(old["train_fnn"].outs["data/models/fnn"], "0" * 32 + ".dir"))
    locked.commit()
    with caplog.at_level("INFO"):
        assert reproduce.run(locked.folder) == 0
    out = capsys.readouterr().out
    assert "4 bitwise, 1 within tolerance, 1 not compared" in out
    here = " ".join(platform.libc_ver())
    assert (
        "verify: compared bit by bit, other bits within the tolerance of each kind of file: "
        f"libc another against {here}"
    ) in caplog.text


@pytest.mark.slow
def test_two_clones_agree_under_overlays_and_run_their_own_sources(
    locked, tmp_path, capsys, monkeypatch
):
    (tmp_path / "clones").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "clones"))
    path = tmp_path / "over.yaml"
    path.write_text(yaml.safe_dump({"seed": 4, "train_fnn": {"dropout": 0.5}}))
    later = tmp_path / "later.yaml"
    later.write_text(yaml.safe_dump({"seed": 3}))
    assert reproduce.run(locked.folder, overlays=[path, later], clones=2, keep=True) == 0
    files = (tmp_path / "clones").glob("plumbline-verify-*/*/plumbline/params.yaml")
    made = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    assert [(each["seed"], each["train_fnn"]["dropout"]) for each in made] == [(3, 0.5)] * 2
    assert "6 bitwise" in capsys.readouterr().out
    (locked.folder / "src/plumbline/__init__.py").write_text("raise SystemExit('own sources')\n")
    locked.commit()
    with pytest.raises(errors.ArtifactError) as caught:
        reproduce.run(locked.folder, overlays=[path], clones=2)
    assert str(caught.value) == f"verify: {sys.executable} must succeed, got own sources"
