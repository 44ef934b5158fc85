import io
import json
import os
import subprocess
import sys
import time

import pytest
import yaml

from plumbline import artifacts, names
from plumbline.cli import doctor, main, repro, summary
from plumbline.runs import records
from plumbline.stage import process
from tests.toy import Toy


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path / "toy")


@pytest.fixture
def reports(toy):
    report = {
        "model": "fnn", "headline": "auroc",
        "metrics": {"auroc": {"value": 0.8, "low": 0.7, "high": 0.9}},
    }  # fmt: skip
    worst = {
        "attribute": "sex", "metric": "accuracy", "comparison": "difference", "value": 0.25,
        "low": 0.1, "high": 0.4, "verdict": names.DIFFERENCE,
    }  # fmt: skip
    artifacts.write_json(toy.folder / "reports/metrics/fnn.json", report)
    artifacts.write_json(toy.folder / "reports/audits/fnn.json", {"worst": worst})
    return toy


def test_a_row_of_the_summary_is_read_from_the_reports(reports):
    assert summary.rows(reports.folder) == [
        summary.Row(
            "fnn",
            "auroc\n0.800 [0.700, 0.900]",
            "accuracy by sex\n0.250 [0.100, 0.400]",
            "difference",
            "evaluate@fnn",
        )
    ]


def test_what_has_no_audit_or_no_gap_is_told_as_such(reports):
    path = reports.folder / "reports/audits/fnn.json"
    artifacts.write_json(path, {"worst": None})
    (row,) = summary.rows(reports.folder)
    assert (row.gap, row.verdict) == ("–", "insufficient")
    path.unlink()
    (row,) = summary.rows(reports.folder)
    assert (row.gap, row.verdict) == ("", "")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ({"value": 0.5, "low": 0.4, "high": 0.6}, "0.500 [0.400, 0.600]"),
        ({"value": 12.3456, "low": None, "high": None}, "12.346"),
        ({"value": None, "low": None, "high": None}, "–"),
    ],
)
def test_numbers_are_written_with_their_interval(cell, text):
    assert summary.interval(cell) == text


def test_summary_prints_the_table_and_where_the_report_is(reports, capsys):
    artifacts.write_text(reports.folder / names.SITE, "<html>")
    assert main.main(["summary", "--root", str(reports.folder)]) == 0
    out = capsys.readouterr().out
    assert "0.800 [0.700, 0.900]" in out
    assert "Report: reports/index.html" in out


def test_a_name_that_looks_like_markup_is_printed_as_it_stands(reports, capsys):
    path = reports.folder / "reports/audits/fnn.json"
    worst = {"attribute": "[red]a[/red]", "metric": "accuracy", "value": 0.1, "low": 0.0}
    artifacts.write_json(path, {"worst": {**worst, "high": 0.2, "verdict": "difference"}})
    assert main.main(["summary", "--root", str(reports.folder)]) == 0
    assert "accuracy by [red]a[/red]" in capsys.readouterr().out


def test_summary_before_the_first_run_says_what_to_do(toy, capsys):
    assert main.main(["summary", "--root", str(toy.folder)]) == 0
    assert "No model has been evaluated yet; run: plumbline repro" in capsys.readouterr().out


def test_params_check_lists_faults_and_exits_2(toy, capsys, caplog):
    root = ["--root", str(toy.folder)]
    assert main.main(["params", "check", *root]) == 0
    path = toy.folder / "params.yaml"
    path.write_text(path.read_text().replace("seed: 42", "seed: -1"))
    assert main.main(["params", "check", *root]) == 2
    assert caplog.records[-1].getMessage() == "params.yaml: seed must be >= 0, got -1"


@pytest.mark.parametrize(
    "words", [["fly"], [], ["summary", "--wings"], ["verify", "--clones", "3"]]
)
def test_an_unknown_command_or_option_exits_2(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main.main(words)
    assert caught.value.code == 2
    assert "usage: plumbline" in capsys.readouterr().err


def test_an_interrupted_command_exits_130(toy, monkeypatch):
    def interrupt(root):
        raise KeyboardInterrupt

    monkeypatch.setattr(summary, "show", interrupt)
    assert main.main(["summary"]) == 130


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


def test_the_mirror_is_waited_for_but_not_for_ever(tmp_path, caplog):
    assert process.wait_for_mirror(tmp_path)
    home = tmp_path / ".plumbline"
    records.ask_for_mirror(home)
    assert process.wait_for_mirror(tmp_path)
    with records.mirror_lock(home):
        began = time.monotonic()
        assert not process.wait_for_mirror(tmp_path, seconds=0.3)
        assert time.monotonic() - began < process.LONGEST_WAIT / 2
    assert caplog.messages == ["MLflow is still being filled; see .plumbline/sync.log"]


def test_this_interpreter_and_its_dvc_come_first_on_the_path():
    made = process.environment()
    assert made["PATH"].split(os.pathsep)[0] == os.path.dirname(sys.executable)
    assert (made["DVC_NO_ANALYTICS"], made["DO_NOT_TRACK"]) == ("1", "1")


def plumbline(toy: Toy, *words: str, code: int = 0, **env: str) -> str:
    done = toy.run(sys.executable, "-m", "plumbline.cli.main", *words, code=code, **env)
    return done.stdout + done.stderr


def test_repro_runs_the_stages_and_has_the_exit_code_of_dvc(toy):
    told = plumbline(toy, "repro", code=255, TOY="fail")
    assert "[1/2]" in told
    assert "train_fnn: loss must be finite, got nan at step 2; lower the rate" in told
    assert not (toy.folder / "reports/environment.json").exists()
    told = plumbline(toy, "repro", "train_fnn")
    assert "[1/2]" in told
    noted = json.loads((toy.folder / "reports/environment.json").read_text())
    assert noted["threads"] == 1


def test_nothing_changed_imports_no_mlflow_and_makes_no_run(toy):
    plumbline(toy, "repro")
    before = records.read_all(toy.folder)
    program = (
        "import sys; from plumbline.cli import main; code = main.main(['repro']); "
        "print('mlflow' in sys.modules, 'torch' in sys.modules, code)"
    )
    done = toy.run(sys.executable, "-c", program, PLUMBLINE_TRACKING="on")
    assert done.stdout.splitlines()[-1] == "False False 0"
    assert records.read_all(toy.folder) == before
    assert not (toy.folder / "mlflow.db").exists()


def test_the_doctor_names_stale_runs_and_a_store_that_is_down(toy, caplog, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    for name in ("MAX_RETRIES", "BACKOFF_FACTOR"):
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", "0")
    gone = {**records.pipeline_of(2**22), "started": 1.0}
    book = records.open_journal(toy.folder, "train_fnn", pipeline=gone)
    book.update(pid=2**22, pid_started=1.0)
    (toy.folder / "params.yaml").unlink()
    with caplog.at_level("INFO", logger="plumbline"):
        assert main.main(["doctor", "--root", str(toy.folder)]) == 1
    text = caplog.text
    assert f"stale run: train_fnn of {book.record['key']}, its process is gone" in text
    assert "1 waiting for the store" in text
    assert "params.yaml: file must exist" in text
    assert "torchvision: imports, version" in text
    with caplog.at_level("INFO", logger="plumbline"):
        assert main.main(["sync", "--root", str(toy.folder)]) == 1
    assert caplog.messages[-1].startswith("sync: store must answer, got ")


def test_the_ui_is_served_small_and_without_jobs(toy, monkeypatch, caplog):
    seen = {}

    run = subprocess.run

    def serve(command, **more):
        if "server" not in command:  # MLflow's import asks the platform
            return run(command, **more)
        seen.update(command=command, env=more["env"])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(doctor.subprocess, "run", serve)
    with caplog.at_level("INFO", logger="plumbline"):
        assert main.main(["ui", "--root", str(toy.folder), "--port", "5581"]) == 0
    assert caplog.messages[-1] == (
        "MLflow UI: http://127.0.0.1:5581/#/experiments/1/runs?workflowType=machine_learning "
        "(Ctrl-C ends it)"
    )
    assert seen["env"]["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    words = seen["command"]
    assert words[words.index("--workers") + 1] == "1"
    assert words[words.index("--port") + 1] == "5581"


def test_the_ui_of_a_server_is_that_server(toy, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    with caplog.at_level("INFO", logger="plumbline"):
        assert main.main(["ui", "--root", str(toy.folder)]) == 1
    assert caplog.messages[-1].startswith("ui: store http://127.0.0.1:9 must answer, got ")


@pytest.mark.slow
def test_repro_leaves_a_run_per_stage_and_restored_stages_as_references(toy):
    """A, B, A again: two trainings and one reference, with the mirror at work beside them."""
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


def test_gate_judges_the_reports_as_of_a_day_without_the_pipeline(root, tmp_path, capsys, caplog):
    parameters = yaml.safe_load((root / "params.yaml").read_text())
    rule = {
        "model": "fnn", "quantity": "auroc", "min": 0.5, "source": "engineering", "owner": "us",
        "rationale": "better than chance", "expires": "2030-01-31",
    }  # fmt: skip
    parameters["gate"] = {"rules": [rule]}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(parameters))
    report = {"metrics": {"auroc": {"value": 0.8, "low": 0.7, "high": 0.9}}, "n": 40}
    artifacts.write_json(tmp_path / "reports/metrics/fnn.json", report)
    assert main.main(["gate", "--root", str(tmp_path), "--on", "2030-01-31"]) == 0
    assert "0.8 [0.7, 0.9], n = 40" in " ".join(capsys.readouterr().err.split())
    assert main.main(["gate", "--root", str(tmp_path), "--on", "2030-02-01"]) == 8
    assert caplog.messages[-1] == (
        "gate: fnn auroc: rule must not be past its expiry, got 2030-01-31 on 2030-02-01; "
        "us must renew or withdraw it"
    )
