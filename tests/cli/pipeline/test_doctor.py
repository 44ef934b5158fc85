"""Diagnosis of a work tree, and the MLflow UI."""

import signal
import subprocess
import sys
import time

import pytest

from plumbline.cli import main
from plumbline.cli.pipeline import doctor
from plumbline.compat import kernels
from plumbline.compat.threads import processors
from plumbline.runs import processes, records
from plumbline.tracking import store

V3 = "avx avx2 bmi1 bmi2 f16c fma abm movbe"


def test_the_doctor_names_stale_runs_and_a_store_that_is_down(toy, caplog, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    for name in ("MAX_RETRIES", "BACKOFF_FACTOR"):
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", "0")
    gone = {**processes.pipeline_of(2**22), "started": 1.0}
    book = records.open_record(toy.folder, "train_fnn", pipeline=gone)
    book.update(pid=2**22, pid_started=1.0)
    (toy.folder / "params.yaml").unlink()
    with caplog.at_level("INFO", logger="plumbline"):
        assert main.main(["doctor", "--root", str(toy.folder)]) == 1
    text = caplog.text
    assert f"stale run: train_fnn of {book.fields['key']}, its process is gone" in text
    assert "1 waiting for the store" in text
    assert "params.yaml: file must exist" in text
    assert "torchvision: imports, version" in text
    with caplog.at_level("INFO", logger="plumbline"):
        assert main.main(["sync", "--root", str(toy.folder)]) == 1
    assert caplog.messages[-1].startswith("sync: store must answer, got ")


@pytest.mark.parametrize(
    ("flags", "chosen", "line"),
    [
        (V3, "portable", "kernels: portable x86-64-v3"),
        (V3, "native", "kernels: native V avx2 fma; the portable ones are available here: "
         "trainer.kernels: portable"),
        ("avx", "portable", "kernels: native V; the portable ones need an x86-64 with AVX2, and no "
         "GLIBC_TUNABLES that mask it"),
    ],
)  # fmt: skip
def test_the_doctor_says_which_kernels_the_processor_runs(
    tmp_path, monkeypatch, caplog, flags, chosen, line
):
    table = tmp_path / "cpuinfo"
    table.write_text(f"vendor_id : V\nmodel name : Model 7\nflags : {flags}\n")
    monkeypatch.setattr(kernels, "CPUINFO", table)
    for variable in kernels.VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    with caplog.at_level("INFO", logger="plumbline"):
        doctor._log_processor(chosen, threads=10**6)
    assert caplog.messages == [
        line,
        f"processor: Model 7, {processors()} available to this process; stages at once: 1 "
        "(plumbline repro -j N)",
    ]


def test_the_ui_is_served_small_and_without_jobs(toy, monkeypatch, caplog):
    seen = {}

    def serve(command, variables):
        seen.update(command=command, env=variables)
        return 0

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(doctor, "_serve", serve)
    with caplog.at_level("INFO", logger="plumbline"):
        assert main.main(["ui", "--root", str(toy.folder), "--port", "5581"]) == 0
    base, end = "http://127.0.0.1:5581/#/experiments", "workflowType=machine_learning"
    assert [message for message in caplog.messages if base in message] == [
        f"MLflow UI, all models: {base}/2/runs?viewStateShareKey=all-models&{end} (Ctrl-C ends it)",
        f"all pipelines and their stages: {base}/1/runs?{end}",
    ]
    opened = store.connect(toy.folder)
    tags = opened.client.get_experiment(opened.models).tags
    assert "mlflow.sharedViewState.all-models" in tags  # else the address opens an error
    assert seen["env"]["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert seen["env"]["MLFLOW_BACKEND_STORE_URI"] not in " ".join(seen["command"])
    words = seen["command"]
    assert words[words.index("--workers") + 1] == "1"
    assert words[words.index("--port") + 1] == "5581"


def test_the_ui_of_a_server_is_that_server(toy, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    with caplog.at_level("INFO", logger="plumbline"):
        assert main.main(["ui", "--root", str(toy.folder)]) == 1
    assert caplog.messages[-1].startswith("ui: store http://127.0.0.1:9 must answer, got ")


def test_what_the_store_refuses_is_named_and_is_the_exit_code_of_a_sync(toy, caplog, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    gone = {**processes.pipeline_of(2**22), "started": 1.0}
    inputs = [{"name": "n" * 501, "path": "p", "digest": "d"}]
    records.open_record(toy.folder, "x", pipeline=gone, inputs=inputs).close(records.FINISHED)
    for _ in range(2):
        caplog.clear()
        with caplog.at_level("INFO", logger="plumbline"):
            assert main.main(["sync", "--root", str(toy.folder)]) == 1
        assert "got a refusal of 1: x: dataset nnn" in caplog.text
        assert caplog.messages[-1].endswith(
            "0 pipelines running, 0 waiting; values not taken by the store: 1"
        )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_ui_that_is_told_to_stop_ends_its_server_and_the_workers_of_that(tmp_path, number):
    """A shell lets the jobs that it starts in the background ignore SIGINT."""
    note = tmp_path / "pid"
    worker = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(99)"
    server = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {worker!r}])"
    program = (
        "import os, signal, sys; from plumbline.cli.pipeline import doctor; "
        "signal.signal(signal.SIGINT, signal.SIG_IGN); "
        f"sys.exit(doctor._serve([sys.executable, '-c', {server!r}], dict(os.environ)))"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        until(lambda: note.exists() and note.read_text())
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
        until(lambda: processes.process_started(int(note.read_text())) is None)
    finally:
        process.kill()


def until(holds) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
