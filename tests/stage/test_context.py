import os
import signal
import sys
import time
from pathlib import Path

import pytest

from plumbline import artifacts, errors, params
from plumbline.runs import dvc_files, lineage, processes, provenance, record_files, records
from plumbline.runs.checkpoints import Checkpoints
from plumbline.stage import context as stage
from plumbline.stage import process as stage_process
from plumbline.stage import signals
from tests.toy import ROOT, Toy

TERMINATED = (
    "stopped: SIGTERM received; DVC records nothing of this stage, the next repro runs it again"
)


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path / "toy")


def record(toy: Toy) -> dict:
    return record_files.read_record(record_files.read_all(toy.folder)[-1])


def staged(toy: Toy) -> list:
    return list((toy.folder / ".plumbline/work").glob("*/outs-*"))


def wait_for(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def test_a_stage_that_ends_well_leaves_its_outputs_and_a_finished_record(toy):
    done = toy.stage("train_fnn")
    found = record(toy)
    assert done.stderr == ""
    assert (found["stage"], found["status"], found["error"]) == ("train_fnn", "FINISHED", None)
    assert set(found["outs"]) == {"data/models/fnn", "reports/history/fnn.csv"}
    assert found["outs"]["data/models/fnn"] == dvc_files.content_hash(
        toy.folder / "data/models/fnn"
    )
    assert found["artifacts"] == ["reports/history/fnn.csv"]
    assert found["model"]["path"] == "data/models/fnn"
    assert found["model"]["signature"]["inputs"] == [
        {"name": "x", "dtype": "float32", "shape": [-1, 2]}
    ]
    assert found["tags"]["git.dirty"] == "false"
    assert len(found["tags"]["git.commit"]) == 40
    assert set(found["params"]) == {"seed", "train_fnn"}
    assert staged(toy) == []
    assert list((toy.folder / ".plumbline/work/train_fnn").iterdir()) == []  # checkpoints pruned


def test_changed_code_is_told_from_changed_results(toy):
    toy.stage("train_fnn")
    (toy.folder / "reports/history/fnn.csv").write_text("changed")
    toy.stage("train_fnn")
    assert record(toy)["tags"]["git.dirty"] == "false"
    (toy.folder / "code/library.py").write_text("new = 1\n")
    toy.stage("train_fnn")
    assert record(toy)["tags"]["git.dirty"] == "true"
    assert len(record(toy)["tags"]["git.diff"]) == 16


def test_an_error_of_ours_is_one_line_its_code_and_a_failed_record(toy):
    done = toy.stage("train_fnn", code=errors.TrainingError.exit_code, TOY="fail")
    line = "train_fnn: loss must be finite, got nan at step 2; lower the rate"
    assert done.stderr == f"{line}\n"
    assert (record(toy)["status"], record(toy)["error"]) == ("FAILED", line)
    assert not (toy.folder / "data").exists()
    assert staged(toy) == []


def test_what_a_stage_refuses_for_its_outputs_leaves_them_and_no_lock(toy):
    line = "train_fnn: loss must fall, got more; see the history"
    toy.repro("train_fnn", code=None, TOY="refuse")
    done = toy.stage("train_fnn", code=errors.TrainingError.exit_code, TOY="refuse")
    assert done.stderr == f"{line}\n"
    found = record(toy)
    assert (found["status"], found["error"]) == ("FAILED", line)
    assert (toy.folder / "reports/history/fnn.csv").is_file()
    assert (toy.folder / "data/models/fnn/config.json").is_file()
    assert found["artifacts"] == ["reports/history/fnn.csv"]
    assert (toy.lock, staged(toy)) == ("", [])
    toy.repro("train_fnn")  # DVC runs it again
    assert "train_fnn" in toy.lock
    assert record(toy)["status"] == "FINISHED"


def test_a_bug_shows_its_traceback(toy):
    done = toy.stage("train_fnn", code=1, TOY="bug")
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("ZeroDivisionError: a bug\n")
    assert record(toy)["status"] == "FAILED"


EDITS = {
    "code": "code/library.py|False|True",
    "pipelines/train.py": "pipelines/train.py|a bug|the bug",
    "params.yaml:seed": "params.yaml|seed: 42|seed: 43",
    "params.yaml:train_fnn": "params.yaml|hidden: [64, 32]|hidden: [64]",
    "dvc.yaml:train_fnn": "dvc.yaml|python pipelines/train.py fnn|python  pipelines/train.py fnn",
}


@pytest.mark.parametrize("name", EDITS)
def test_what_changes_while_a_stage_runs_is_named_and_leaves_no_output(toy, name):
    """That DVC locks nothing of a stage with this exit code is shown in `test_traps`."""
    code = errors.StaleError.exit_code
    done = toy.stage("train_fnn", code=code, TOY="edit", TOY_EDIT=EDITS[name])
    message = (
        "train_fnn: dependencies must not change while the stage runs, got changes in "
        f"{name}; run it again"
    )
    assert done.stderr == f"{message}\n"
    assert record(toy)["error"] == message
    assert not (toy.folder / "data/models").exists()
    toy.stage("train_fnn")
    assert record(toy)["status"] == "FINISHED"


def test_checkpoints_from_before_a_change_are_not_used_after_it(toy, monkeypatch):
    monkeypatch.chdir(toy.folder)
    spec = dvc_files.stage(toy.folder, "train_fnn")
    run = stage.Run(spec, params.load(toy.folder / "params.yaml"), toy.folder)
    Checkpoints(run.work / "fit").save(1, lambda path: path.write_bytes(b"of which code?"))
    run.check_unchanged()
    library = toy.folder / "code/library.py"
    before = library.read_text()
    library.write_text("changed = True\n")
    with pytest.raises(errors.StaleError):
        run.check_unchanged()
    run.discard()
    run.close("FAILED")
    library.write_text(before)  # as it was: the key is the same again
    again = stage.Run(spec, params.load(toy.folder / "params.yaml"), toy.folder)
    assert again.work == run.work
    assert list(again.work.glob("*/*.ckpt")) == []
    assert again.record.fields["attempts"] == 1
    again.close("FAILED")


def test_a_stage_with_a_checkpoint_goes_on_with_its_record_and_others_do_not(toy, monkeypatch):
    monkeypatch.chdir(toy.folder)
    spec = dvc_files.stage(toy.folder, "train_fnn")
    path = toy.folder / "params.yaml"

    def attempt(*, checkpoint: bool = False) -> tuple[str, int]:
        run = stage.Run(spec, params.load(path), toy.folder)
        if checkpoint:
            Checkpoints(run.work / "fit").save(1, lambda path: path.write_bytes(b"whole"))
        run.close("KILLED", "stopped")
        return run.record.fields["key"], run.record.fields["attempts"]

    first = attempt()
    second = attempt(checkpoint=True)
    assert second[0] != first[0]
    assert attempt() == (second[0], 2)
    text = path.read_text()
    path.write_text(text.replace("seed: 42", "seed: 43"))
    assert attempt()[1] == 1
    path.write_text(text)
    assert attempt() == (second[0], 3)
    monkeypatch.setattr(provenance, "environment_digest", lambda choice: "another torch")
    assert attempt()[1] == 1


def test_a_second_process_of_one_training_leaves_no_record_and_no_output(toy):
    done = toy.stage("train_fnn", LOCAL_RANK="1")
    assert done.stderr == ""
    assert record_files.read_all(toy.folder) == []
    assert not (toy.folder / "data").exists()
    assert staged(toy) == []


@pytest.mark.parametrize(
    ("variables", "rank"),
    [
        ({}, "0"),
        ({"LOCAL_RANK": "0"}, "0"),
        ({"LOCAL_RANK": "3"}, "3"),
        ({"NODE_RANK": "1"}, "1.0"),
        ({"NODE_RANK": "1", "LOCAL_RANK": "3"}, "1.3"),
        ({"RANK": "8", "LOCAL_RANK": "0"}, "8"),
        ({"RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0"}, "0"),
        ({"SLURM_PROCID": "5"}, "5"),
        # Within an interactive allocation: a process of ours, not one of srun's.
        ({"SLURM_PROCID": "0", "LOCAL_RANK": "1"}, "1"),
    ],
)
def test_the_first_process_is_known_whoever_started_it(monkeypatch, variables, rank):
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert stage_process.process_rank() == rank


def test_faulty_parameters_are_refused_with_code_2_and_a_failed_record(toy):
    path = toy.folder / "params.yaml"
    path.write_text(path.read_text().replace("seed: 42", "seed: -1"))
    done = toy.stage("train_fnn", code=2)
    assert done.stderr == "params.yaml: seed must be >= 0, got -1\n"
    assert record(toy)["error"] == "params.yaml: seed must be >= 0, got -1"
    assert (record(toy)["status"], record(toy)["params"]) == ("FAILED", {})


def test_a_stage_computes_with_the_sources_of_its_own_work_tree(tmp_path):
    toy = Toy(tmp_path / "repo", sources=True)
    package = toy.folder / "src/plumbline/__init__.py"
    package.write_text(package.read_text() + "import sys; print('own sources', file=sys.stderr)\n")
    done = toy.stage("train_fnn", PYTHONPATH=str(ROOT / "src"))  # as an installation comes first
    assert done.stderr.count("own sources") == 1
    (record,) = [record_files.read_record(folder) for folder in record_files.read_all(toy.folder)]
    assert record["status"] == "FINISHED"


def test_sources_that_cannot_be_had_stop_the_stage(tmp_path):
    toy = Toy(tmp_path / "repo", sources=True)
    blocked = "import sys; sys.path.insert(0, '{}')\n".format(ROOT / "src")
    script = toy.folder / "pipelines/train.py"
    script.write_text(blocked + script.read_text())
    done = toy.stage("train_fnn", code=7)
    assert "stage: library must be that of this work tree, got " in done.stderr


def test_a_missing_dependency_is_named(toy):
    (toy.folder / "code/library.py").unlink()
    (toy.folder / "code").rmdir()
    done = toy.stage("train_fnn", code=errors.ArtifactError.exit_code)
    assert done.stderr == "train_fnn: dependency must exist, got no code\n"


def test_a_script_run_by_hand_finds_its_stage_by_its_command(toy):
    toy.run(sys.executable, "pipelines/train.py", "fnn")
    assert record(toy)["stage"] == "train_fnn"
    done = toy.run(sys.executable, "pipelines/train.py", "rnn", code=errors.ArtifactError.exit_code)
    assert done.stderr == "dvc.yaml: a stage must have the command 'train.py rnn'\n"


def test_a_stage_of_a_lab_has_its_parameters_and_the_seed_of_its_plain_name(tmp_path):
    lab = Toy(tmp_path / "toy", lab=True)
    lab.stage("train_fnn")
    lab.stage("mitigate@none")
    found = record(lab)
    assert (found["stage"], found["lab"], found["status"]) == ("mitigate@none", "toy", "FINISHED")
    assert found["params"] == {"seed": 42, "mitigate": {"strength": 0.5}}
    assert artifacts.read_json(lab.folder / "reports/mitigation/none.json") == {
        "seed": stage.derive_seed(42, "mitigate@none"),
        "strength": 0.5,
    }
    lab.run(sys.executable, "pipelines/mitigate.py", "drop")  # by hand
    assert record(lab)["stage"] == "mitigate@drop"


def test_faulty_parameters_of_a_lab_are_refused_with_the_file_that_holds_them(tmp_path):
    lab = Toy(tmp_path / "toy", lab=True)
    lab.stage("train_fnn")
    path = lab.folder / "studies/toy/params.yaml"
    path.write_text("mitigate: {strength: much}\n")
    done = lab.stage("mitigate@none", code=errors.ParamsError.exit_code)
    assert done.stderr == (
        "studies/toy/params.yaml: mitigate.strength must be a number, got 'much'\n"
    )
    script = lab.folder / "pipelines/mitigate.py"
    script.write_text(script.read_text().replace('STUDIES["toy"]', 'STUDIES["other"]'))
    done = lab.stage("mitigate@none", code=errors.ParamsError.exit_code)
    known = [*params.STUDIES, "other"]
    assert done.stderr == (
        f"studies/toy/params.yaml: lab must be one of {', '.join(known)}, got 'toy'; "
        "add its model to plumbline.params.studies\n"
    )


@pytest.mark.parametrize(
    ("number", "code", "text"),
    [
        (signal.SIGTERM, 143, TERMINATED),
        (signal.SIGINT, 130, TERMINATED.replace("SIGTERM received", "interrupted")),
    ],
)
def test_a_stopped_stage_writes_nothing_and_says_killed(toy, number, code, text):
    process = toy.start(
        sys.executable, "pipelines/train.py", "fnn", DVC_STAGE="train_fnn", TOY="wait"
    )
    wait_for((toy.folder / "waiting").exists)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, f"{text}\n")
    assert (record(toy)["status"], record(toy)["error"]) == ("KILLED", text)
    assert not (toy.folder / "data").exists()
    assert staged(toy) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_many_times_is_recorded_once(toy, number):
    process = toy.start(
        sys.executable, "pipelines/train.py", "fnn", DVC_STAGE="train_fnn", TOY="wait"
    )
    wait_for((toy.folder / "waiting").exists)
    while process.poll() is None:
        process.send_signal(number)
        time.sleep(0.0005)
    told, _ = process.communicate()
    assert "Traceback" not in told
    assert process.returncode == 128 + number
    assert record(toy)["status"] == records.KILLED


def test_ctrl_c_works_in_a_stage_that_inherited_ignoring_it(toy):
    program = "import signal, os, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.executable, [sys.executable, 'pipelines/train.py', 'fnn'])"  # noqa: E501
    process = toy.start(sys.executable, "-c", program, TOY="wait")
    wait_for((toy.folder / "waiting").exists)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_outputs_must_be_declared_and_written(toy, monkeypatch):
    monkeypatch.chdir(toy.folder)
    run = stage.Run(
        dvc_files.stage(toy.folder, "train_fnn"),
        params.load(toy.folder / "params.yaml"),
        toy.folder,
    )
    assert run.item == ""
    with pytest.raises(ValueError, match=r"^train_fnn: out must be declared in dvc.yaml, got a/b$"):
        run.out(Path("a/b"))
    run.out(Path("data/models/fnn")).mkdir()
    with pytest.raises(RuntimeError) as caught:
        run.commit()
    assert str(caught.value) == (
        "train_fnn: outputs must be written, got none for ['reports/history/fnn.csv']"
    )
    run.metrics({"a": 1.0}, step=2)
    assert record_files.read_metrics(run.record.folder)[0][0]["s"] == 2
    run.discard()
    assert staged(toy) == []


def test_data_that_a_model_is_made_from_are_told_from_data_that_are_read(root):
    found = {
        name: [
            (row["path"], row["context"])
            for row in lineage.data_inputs(spec, dict.fromkeys(spec.deps, ""))
        ]
        for name in ("train@fnn", "evaluate@fnn")
        for spec in [dvc_files.stage(root, name)]
    }
    assert found["train@fnn"] == [("data/prepared/tabular", "training")]
    assert {context for _, context in found["evaluate@fnn"]} == {"input"}


def test_seeds_differ_between_stages_and_not_between_runs():
    assert stage.derive_seed(42, "a") == stage.derive_seed(42, "a")
    assert len({stage.derive_seed(s, n) for s in (1, 2) for n in ("a", "b")}) == 4


def test_a_signal_waits_until_outputs_are_whole():
    steps = []

    def move():
        with signals.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            steps.append("moved")
        steps.append("not reached")

    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signals._terminate)
    try:
        with pytest.raises(signals.Terminated):
            move()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert steps == ["moved"]
    with signals.deferred():
        pass
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_full_disk_does_not_hide_the_fault(toy, monkeypatch, capsys):
    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    def main(run):
        monkeypatch.setattr(artifacts, "write_text", full)
        raise errors.DataError("train_fnn: rows must be there, got none")

    monkeypatch.chdir(toy.folder)
    monkeypatch.setenv("DVC_STAGE", "train_fnn")
    monkeypatch.setattr(signals, "install", lambda **options: None)
    with pytest.raises(SystemExit) as caught:
        stage.execute(main)
    assert caught.value.code == errors.DataError.exit_code
    assert capsys.readouterr().err == "train_fnn: rows must be there, got none\n"


def test_threads_are_fixed_before_numbers_are_computed(toy, monkeypatch):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "7")
    stage_process.fix_environment(params.load(toy.folder / "params.yaml"))
    assert os.environ["OMP_NUM_THREADS"] == os.environ["OPENBLAS_NUM_THREADS"] == "1"
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_a_running_stage_renews_its_heartbeat(toy):
    process = toy.start(sys.executable, "pipelines/train.py", "fnn", TOY="wait")
    try:
        wait_for((toy.folder / "waiting").exists)
        (folder,) = record_files.read_all(toy.folder)
        elsewhere = {**record_files.read_record(folder)["pipeline"], "host": "another"}
        assert (folder / "heartbeat").exists()
        assert processes.is_alive(elsewhere, [folder])
    finally:
        process.kill()
        process.communicate()
