"""`plumbline repro`: progress, exit codes, and runs in MLflow."""

import io
import json
import os
import subprocess
import sys

import pytest

from plumbline.cli.pipeline import repro
from plumbline.runs import dvc_files, record_files
from tests.toy import Toy


def relayed(*chunks: bytes) -> str:
    reader, writer = os.pipe()
    sink = io.BytesIO()
    with os.fdopen(reader, "rb") as stream:
        for chunk in chunks:
            os.write(writer, chunk)
        os.close(writer)
        repro.Progress(3).relay(stream, sink)
    return sink.getvalue().decode()


def test_progress_stands_in_for_dvcs_lines_and_all_else_passes():
    told = relayed(
        b"Stage 'prepare' didn't change, skipping\nRunning stage 'train@a':\n> python x\n"
        b"Epoch 1\rEpoch 2\rdone\nStage 'b' is cached - skipping run\nRunning low"
    )
    assert told == (
        "[1/3] 0:00 prepare up to date\n[2/3] 0:00 train@a\n> python x\n"
        "Epoch 1\rEpoch 2\rdone\n[3/3] 0:00 b up to date\nRunning low"
    )


def test_a_line_that_comes_in_pieces_is_recognised():
    reader, writer = os.pipe()
    sink = io.BytesIO()
    program = (
        "import os, time\n"
        f"for piece in (b'Run', b'ning stage ', b\"'a'\", b':\\n'):\n"
        f"    os.write({writer}, piece); time.sleep(0.05)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], pass_fds=[writer])
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        repro.Progress(1).relay(stream, sink)
    child.wait()
    assert sink.getvalue() == b"[1/1] 0:00 a\n"


@pytest.mark.parametrize(
    ("arguments", "stages"),
    [
        (["card@rnn"], {"prepare@text", "baseline@ngram", "evaluate@ngram", "train@rnn",
                        "evaluate@rnn", "compare@text", "audit@rnn", "card@rnn"}),
        (["--force", "studies/fairness/dvc.yaml:mitigate@none"],
         {"prepare@tabular", "mitigate@none"}),
    ],
)  # fmt: skip
def test_progress_counts_the_named_stages_and_what_they_depend_on(root, arguments, stages):
    assert repro._covered(root, arguments) == stages


def test_progress_counts_the_default_pipeline_or_that_of_a_laboratory_with_its_models(root):
    every = dvc_files.stages(root)
    default = sum(not spec.lab for spec in every.values())
    assert len(repro._covered(root, [])) == len(repro._covered(root, ["dvc.yaml"])) == default
    assert repro._covered(root, ["-P"]) == set(every)
    assert default < len(repro._covered(root, ["studies/fairness/dvc.yaml"])) <= len(every)


def test_a_single_item_covers_the_named_stages_alone(root):
    assert repro._covered(root, ["--single-item", "card@rnn"]) == {"card@rnn"}


def plumbline(toy: Toy, *words: str, code: int = 0, **env: str) -> str:
    done = toy.run(sys.executable, "-m", "plumbline.cli", *words, code=code, **env)
    return done.stdout + done.stderr


def test_repro_runs_the_stages_and_has_the_exit_code_of_dvc(toy):
    told = plumbline(toy, "repro", code=255, TOY="fail")
    assert "[1/2]" in told
    assert "train_fnn: loss must be finite, got nan at step 2; lower the rate" in told
    assert not (toy.folder / "reports/environment.json").exists()
    told = plumbline(toy, "repro", "train_fnn")
    assert "[1/1]" in told
    noted = json.loads((toy.folder / "reports/environment.json").read_text())
    assert noted["threads"] == 1


def test_nothing_changed_imports_no_mlflow_and_makes_no_run(toy):
    plumbline(toy, "repro")
    before = record_files.read_all(toy.folder)
    program = (
        "import sys; from plumbline.cli import main; code = main.main(['repro']); "
        "print('mlflow' in sys.modules, 'torch' in sys.modules, code)"
    )
    done = toy.run(sys.executable, "-c", program, PLUMBLINE_TRACKING="on")
    assert done.stdout.splitlines()[-1] == "False False 0"
    assert record_files.read_all(toy.folder) == before
    assert not (toy.folder / "mlflow.db").exists()


@pytest.mark.slow
def test_repro_leaves_a_run_per_stage_and_restored_stages_as_references(toy):
    """A, B, A again: two trainings and one reference, with MLflow filled beside them."""
    on = {"PLUMBLINE_TRACKING": "on"}
    for seed in (42, 7, 42):
        toy.seed(seed)
        plumbline(toy, "repro", **on)
    from plumbline.tracking import store

    opened = store.connect(toy.folder)
    runs = opened.client.search_runs([opened.experiment], order_by=["start_time ASC"])
    trained = [run for run in runs if run.info.run_name == "train_fnn"]
    origins = [run.data.tags["dvc.origin"] for run in trained]
    assert origins == ["executed", "executed", "restored"]
    assert trained[2].data.tags["dvc.source_run"] == trained[0].info.run_id
    assert len(runs) == 9
    assert {run.info.status for run in runs} == {"FINISHED"}


@pytest.mark.slow
def test_repro_of_a_laboratory_runs_what_it_depends_on_and_waits_for_mlflow(tmp_path):
    toy = Toy(tmp_path / "toy", lab=True)
    told = plumbline(toy, "repro", "studies/toy/dvc.yaml", PLUMBLINE_TRACKING="on")
    assert "[1/3] " in told
    assert "[3/3] " in told
    from plumbline.tracking import store

    opened = store.connect(toy.folder)
    runs = opened.client.search_runs([opened.experiment])
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert {run.info.run_name for run in children} == {
        "train_fnn",
        "toy/mitigate@none",
        "toy/mitigate@drop",
    }
    assert {run.info.status for run in runs} == {"FINISHED"}
