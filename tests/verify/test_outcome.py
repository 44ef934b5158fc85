"""The line at the end of ``plumbline repro``: what it says of each cause of other outputs."""

import copy
import json
import platform
import shutil
import subprocess
import sys
import time
from collections import Counter

import pytest

from plumbline import artifacts, params
from plumbline.runs import dvc_files, provenance
from plumbline.verify import causes, outcome, tolerances
from plumbline.verify.outcome import Outcome
from tests.toy import Toy

CURVE = "reports/history/fnn.csv"


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ({"identical": 163}, "163 outputs: 163 identical to dvc.lock"),
        ({"identical": 1}, "1 output: 1 identical to dvc.lock"),
        ({"added": 163}, "163 outputs: no dvc.lock to compare with"),
        ({"added": 3, "unreached": 160},
         "163 outputs: 3 made, 160 not reached; no dvc.lock to compare with"),
        ({"unreached": 3}, "3 outputs: 3 not reached"),
        ({"identical": 4, "added": 2}, "6 outputs: 4 identical to dvc.lock, 2 new"),
        ({"identical": 150, causes.SOURCES: 10, causes.PACKAGES: 3},
         "163 outputs: 150 identical to dvc.lock, 10 changed with code, data or parameters, "
         "3 changed with package versions"),
        ({}, "0 outputs: "),
    ],
)  # fmt: skip
def test_the_line_counts_outputs_by_cause(counts, line):
    assert outcome.describe(Outcome(Counter(counts))) == line


def test_the_line_says_how_machines_differ_and_names_what_is_beyond_the_tolerance():
    counts = {"identical": 2, tolerances.WITHIN: 1, tolerances.UNCOMPARED: 4, "broken": 1}
    found = Outcome(Counter(counts), ["native kernels"], {"broken": ["evaluate@fnn r.json"]})
    assert outcome.describe(found) == (
        "8 outputs: 2 identical to dvc.lock, 1 within tolerance (native kernels), 4 with other "
        "bits and no tolerance to compare by (native kernels), 1 beyond the tolerance (native "
        "kernels): evaluate@fnn r.json"
    )


def test_the_line_names_three_of_the_outputs_that_differ_without_a_cause():
    found = Outcome(Counter({causes.NONE: 5}), named={causes.NONE: ["a", "b", "c", "d", "e"]})
    assert outcome.describe(found) == "5 outputs: 5 differ (no known cause): a, b, c and 2 more"


def test_equal_locks_are_counted_in_a_tenth_of_a_second(root):
    stages = dvc_files.stages(root)
    began = time.process_time()
    found = outcome.examine(root, outcome.state(root), set(stages))
    assert time.process_time() - began < 0.1
    assert sum(found.counts.values()) == sum(len(spec.outs) for spec in stages.values())


@pytest.mark.parametrize("note", ["no JSON", "{}"])
def test_a_damaged_note_of_the_environment_says_nothing(tmp_path, note):
    artifacts.write_text(tmp_path / "dvc.yaml", "stages: {}\n")
    artifacts.write_text(tmp_path / provenance.ENVIRONMENT, note)
    state = outcome.state(tmp_path)
    assert state.locks == ""
    assert not state.environment


def test_a_lock_of_another_form_is_compared_by_its_values(root, tmp_path):
    shutil.copy(root / "params.yaml", tmp_path)
    artifacts.write_text(
        tmp_path / "dvc.yaml", "stages:\n  s: {cmd: run, deps: [d], outs: [o, p]}\n"
    )
    entry = {"cmd": "run", "deps": [{"path": "d", "md5": "1"}],
             "outs": [{"path": "o", "md5": "1"}, {"path": "p", "md5": "2"}]}  # fmt: skip
    by_hand = json.dumps({"schema": "2.0", "stages": {"s": entry}}, indent=1)
    artifacts.write_text(
        tmp_path / "dvc.lock",
        "schema: '2.0'\nstages:\n  s:\n    cmd: run\n    deps:\n    - path: d\n      md5: '1'\n"
        "    outs:\n    - path: o\n      md5: '1'\n    - path: p\n      md5: '3'\n",
    )
    found = outcome.examine(tmp_path, outcome.State(by_hand, None), {"s"})
    assert found.counts == {"identical": 1, causes.NONE: 1}
    assert found.named == {causes.NONE: ["s p"]}


def test_entries_as_committed_are_of_the_committed_environment(root, tmp_path):
    """A run of one stage has noted this machine; the others were made on the former one."""
    entry = "  {0}:\n    cmd: run\n    outs:\n    - path: {0}\n      md5: '{1}'\n"
    head = "schema: '2.0'\nstages:\n"

    def lock(a: int, b: int) -> None:
        text = head + entry.format("a", a) + entry.format("b", b)
        artifacts.write_text(tmp_path / "dvc.lock", text)

    def note(libc: str) -> None:
        trainer = params.load(root / "params.yaml").trainer
        here = artifacts.plain(provenance.environment(tmp_path, trainer))
        artifacts.write_json(tmp_path / provenance.ENVIRONMENT, {**here, "libc": libc})

    artifacts.write_text(
        tmp_path / "dvc.yaml", "stages:\n  a: {cmd: run, outs: [a]}\n  b: {cmd: run, outs: [b]}\n"
    )
    shutil.copy(root / "params.yaml", tmp_path)
    lock(1, 1)
    note("another")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "state"]):
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
            cwd=tmp_path, check=True,
        )  # fmt: skip
    here = " ".join(platform.libc_ver()).strip()
    lock(2, 1)
    note(here)
    before = outcome.state(tmp_path)
    lock(3, 3)
    found = outcome.examine(tmp_path, before, {"a", "b"})
    assert found.named == {causes.NONE: ["a a"]}
    assert found.counts == {causes.NONE: 1, tolerances.UNCOMPARED: 1}
    assert found.notes == [f"libc another against {here}"]


def test_entries_are_found_in_the_text_of_several_locks(root):
    texts = outcome._entries(dvc_files.lock_text(root))
    assert set(texts) == set(dvc_files.read_lock(root))
    name = "train@fnn"
    assert outcome._parse(texts, [name]) == {name: dvc_files.read_lock(root)[name]}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A repository with a laboratory whose pipelines have run, and whose results are committed."""
    toy = Toy(tmp_path_factory.mktemp("made") / "toy", lab=True)
    record_kernels(toy)
    told = repro(toy)
    assert told.stdout.endswith("\n4 outputs: no dvc.lock to compare with\n")
    told = repro(toy, "-P")
    assert told.stdout.endswith("\n6 outputs: 4 identical to dvc.lock, 2 new\n")
    toy.commit()
    return toy


@pytest.fixture
def ran(made, tmp_path):
    toy = copy.copy(made)
    toy.folder = shutil.copytree(made.folder, tmp_path / "toy")
    return toy


def record_kernels(toy: Toy) -> None:
    """Have every stage record the kernels it ran with, as the stages of the pipeline do."""
    for path in (toy.folder / "dvc.yaml", toy.folder / "studies/toy/dvc.yaml"):
        text = path.read_text(encoding="utf-8")
        noted = "params: [{reports/environment.json: [kernels]}, "
        path.write_text(text.replace("params: [", noted), encoding="utf-8")
    toy.commit()


def repro(toy: Toy, *words: str, code: int = 0, **env: str) -> subprocess.CompletedProcess:
    variables = {"PLUMBLINE_TRACKING": "off", **env}
    return toy.run(sys.executable, "-m", "plumbline.cli", "repro", *words, code=code, **variables)


def last(toy: Toy, *words: str, code: int = 0, **env: str) -> str:
    return repro(toy, *words, code=code, **env).stdout.splitlines()[-1]


def status(toy: Toy) -> str:
    return toy.run("git", "status", "--porcelain").stdout


@pytest.mark.slow
def test_a_second_run_and_a_run_in_a_clone_are_identical_and_leave_the_tree_clean(ran, tmp_path):
    assert last(ran, "-P") == "6 outputs: 6 identical to dvc.lock"
    assert status(ran) == ""
    clone = copy.copy(ran)
    clone.folder = tmp_path / "clone"
    ran.run("git", "clone", "-q", ".", str(clone.folder))
    assert last(clone, "-P") == "6 outputs: 6 identical to dvc.lock"
    assert status(clone) == ""
    assert (clone.folder / "data/models/fnn").is_dir()


@pytest.mark.slow
def test_another_seed_and_an_edited_script_are_causes_for_all_that_follows(ran):
    ran.seed(7)
    assert last(ran, "-P") == (
        "6 outputs: 3 identical to dvc.lock, 3 changed with code, data or parameters"
    )
    script = ran.folder / "pipelines/evaluate.py"
    script.write_text(script.read_text().replace("a table", "another table"))
    assert last(ran) == (
        "4 outputs: 3 identical to dvc.lock, 1 changed with code, data or parameters"
    )


@pytest.mark.slow
def test_other_package_versions_are_a_cause(ran):
    pins = ran.folder / "requirements.lock"
    pins.write_text("numpy==1\n")
    path = ran.folder / "dvc.yaml"
    path.write_text(path.read_text().replace("deps: [", "deps: [requirements.lock, "))
    repro(ran)
    pins.write_text("numpy==2\n")
    assert last(ran, TOY="chance") == (
        "4 outputs: 3 identical to dvc.lock, 1 changed with package versions"
    )


@pytest.mark.slow
def test_other_bits_of_the_same_inputs_are_named_and_warned_of(ran):
    told = repro(ran, "--force", "-P", TOY="chance")
    assert told.stdout.splitlines()[-1] == (
        "6 outputs: 5 identical to dvc.lock, 1 differ (no known cause): train_fnn data/models/fnn"
    )
    assert (
        "repro: outputs of the same code, data, parameters and kernels must have the same bits, "
        "got 1 that differ; `plumbline verify` runs them again in a clean clone and "
        "`plumbline diff-runs` finds the first step that differs"
    ) in told.stderr


@pytest.mark.slow
def test_native_kernels_are_judged_by_the_tolerance_of_the_committed_files(ran):
    """A curve a little off and other weights, as another processor makes them."""
    path = ran.folder / "params.yaml"
    path.write_text(path.read_text().replace("kernels: portable", "kernels: native"))
    script = ran.folder / "pipelines/train.py"
    text = script.read_text()
    script.write_text(text.replace("2,2,0.25,0.75", "2,2,0.25,0.76"))
    ran.commit()
    lock, deps = ran.lock, dvc_files.read_lock(ran.folder)["train_fnn"].deps
    (ran.folder / "dvc.lock").write_text(
        lock.replace(deps["pipelines/train.py"], dvc_files.content_hash(script))
    )
    assert last(ran, TOY="chance") == (
        "4 outputs: 2 identical to dvc.lock, 1 within tolerance (native kernels), 1 with other "
        "bits and no tolerance to compare by (native kernels)"
    )


@pytest.mark.slow
def test_a_failed_run_says_what_it_did_not_reach_and_keeps_its_exit_code(ran):
    script = ran.folder / "pipelines/evaluate.py"
    script.write_text("raise SystemExit(3)\n" + script.read_text())
    assert last(ran, code=255) == "4 outputs: 2 identical to dvc.lock, 2 not reached"
    ran.seed(7)
    assert last(ran, "-P", code=255, TOY="fail") == "6 outputs: 6 not reached"


@pytest.mark.slow
def test_named_stages_alone_are_counted_and_a_dry_run_says_nothing(ran):
    assert last(ran, "train_fnn") == "2 outputs: 2 identical to dvc.lock"
    assert last(ran, "-s", "evaluate@fnn") == "2 outputs: 2 identical to dvc.lock"
    assert "outputs:" not in repro(ran, "--dry").stdout
