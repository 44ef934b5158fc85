import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plumbline.runs import processes, records


def test_a_process_is_told_from_a_later_one_of_the_same_id():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = processes.pipeline_of(child.pid)
    assert processes.is_alive(mark)
    assert not processes.is_alive({**mark, "started": mark["started"] + 1})
    assert not processes.is_here({**mark, "host": "another"})
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not processes.is_alive(mark)  # a zombie has ended
    child.communicate()
    assert not processes.is_alive(mark)
    assert not processes.is_alive({"pid": child.pid, "started": None})


def test_the_mark_of_a_process_is_its_own_without_proc(monkeypatch):
    import psutil

    monkeypatch.setattr(processes, "_PROC", Path("/nowhere"))
    assert processes.process_started(os.getpid()) == psutil.Process().create_time()
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert processes.process_started(child.pid) is None


def test_a_stage_run_by_hand_is_a_pipeline_of_its_own():
    found = processes.enclosing_pipeline()
    assert (found["pid"], found["started"]) == (
        os.getpid(),
        processes.process_started(os.getpid()),
    )


@pytest.mark.parametrize("depth", [1, 2])
def test_the_pipeline_is_the_nearest_dvc_process_however_deep(tmp_path, depth):
    script = tmp_path / "dvc"
    script.write_text(
        "import subprocess, sys, os\n"
        "depth = int(sys.argv[1])\n"
        "inner = [sys.executable, '-c', 'from plumbline.runs import processes; "
        "from plumbline import artifacts; "
        "print(artifacts.dump_json(processes.enclosing_pipeline()))']\n"
        "if depth > 1:\n"
        "    words = [sys.executable, sys.argv[0], str(depth - 1)]\n"
        "    inner = ['sh', '-c', '\"$0\" \"$1\" $2; true', *words]\n"
        "else:\n"
        "    print(os.getpid())\n"
        "    sys.stdout.flush()\n"
        "subprocess.run(inner, check=True)\n"
    )
    done = subprocess.run(
        [sys.executable, script, str(depth)], capture_output=True, text=True, check=True
    )
    pid, _, record = done.stdout.partition("\n")
    assert json.loads(record)["pid"] == int(pid)


FAR = {"host": "another", "started": 1.0}


@pytest.fixture
def book(tmp_path) -> records.RunRecord:
    """The record of a run on another host."""
    pipeline = {**processes.pipeline_of(os.getpid()), **FAR}
    return records.open_record(tmp_path, "train_fnn", pipeline=pipeline)


def age(book: records.RunRecord, seconds: float) -> None:
    """Let every sign of life be so many seconds old."""
    for path in book.folder.iterdir():
        os.utime(path, (time.time() - seconds,) * 2)


def test_a_run_of_another_host_lives_while_it_shows_signs_of_life(book):
    assert records.ending(book.fields, book.folder) is None
    age(book, processes.LEASE - 20)
    assert records.ending(book.fields, book.folder) is None


def test_a_run_of_another_host_without_a_sign_for_two_minutes_is_dead_at_once(book):
    age(book, processes.LEASE + 5)
    began = time.monotonic()
    assert records.ending(book.fields, book.folder) == ("FAILED", records.DIED)
    assert time.monotonic() - began < 1


def test_a_record_of_an_earlier_version_has_a_lease_too(book):
    for field in ("space", "number"):
        book.fields.pop(field, None)
        book.fields["pipeline"].pop(field, None)
    book.update()
    assert records.ending(book.fields, book.folder) is None
    age(book, processes.LEASE + 5)
    assert records.ending(book.fields, book.folder) == ("FAILED", records.DIED)


def test_the_clock_of_the_observer_does_not_count(book, monkeypatch):
    real = time.time_ns
    for shift in (-3600, 3600):
        monkeypatch.setattr(time, "time_ns", lambda shift=shift: real() + shift * 10**9)
        assert processes.is_alive(book.fields["pipeline"], [book.folder])


def test_a_sign_from_before_a_clock_was_set_back_says_nothing(book):
    age(book, -3600)
    assert not processes.is_alive(book.fields["pipeline"], [book.folder])
    (book.folder / "heartbeat").touch()
    assert processes.is_alive(book.fields["pipeline"], [book.folder])


def test_signs_that_are_seen_to_change_count_whatever_their_time(book):
    age(book, 3600)
    assert not processes.is_alive(book.fields["pipeline"], [book.folder])
    age(book, 3590)  # as a host whose clock is an hour behind stamps them
    assert processes.is_alive(book.fields["pipeline"], [book.folder])


def test_a_process_that_was_never_there_is_dead_on_any_host(book):
    assert not processes.is_alive({**book.fields["pipeline"], "started": None}, [book.folder])


def test_a_run_of_this_host_is_judged_by_its_process_whatever_its_signs(tmp_path):
    own = records.open_record(tmp_path, "train_fnn")
    age(own, 3600)
    assert records.ending(own.fields, own.folder) is None
    own.update(pid_started=1.0)
    assert records.ending(own.fields, own.folder) == ("FAILED", records.DIED)


def test_a_container_with_the_same_host_name_is_judged_by_signs(tmp_path):
    twin = {**processes.pipeline_of(os.getpid()), "space": "another"}
    book = records.open_record(tmp_path, "train_fnn", pipeline=twin)
    book.update(pid=2**22)  # no such process here
    assert records.ending(book.fields, book.folder) is None
    age(book, processes.LEASE + 5)
    assert records.ending(book.fields, book.folder) == ("FAILED", records.DIED)


def test_process_ids_of_another_namespace_are_told_from_those_of_this_one():
    program = "from plumbline.runs import processes; print(processes.space())"
    words = ["unshare", "-Ur", "--pid", "--fork", "--mount-proc", sys.executable, "-c", program]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system makes no process namespaces")
    boot, _, namespace = done.stdout.strip().partition("/")
    assert boot == processes.space().partition("/")[0]
    assert namespace.isdigit()
    assert namespace != processes.space().partition("/")[2]


def test_a_heartbeat_is_renewed_until_it_is_stopped(tmp_path):
    rest = processes.renew(tmp_path, interval=0.01)
    beat = tmp_path / "heartbeat"
    changes = set()
    end = time.monotonic() + 10
    while len(changes) < 3 and time.monotonic() < end:
        if beat.exists():
            changes.add(beat.stat().st_mtime_ns)
    rest()
    assert len(changes) == 3
    time.sleep(0.1)
    last = beat.stat().st_mtime_ns
    time.sleep(0.1)
    assert beat.stat().st_mtime_ns == last


def test_a_heartbeat_outlives_the_removal_of_its_folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    rest = processes.renew(folder, interval=0.01)
    while not (folder / "heartbeat").exists():
        time.sleep(0.01)
    (folder / "heartbeat").unlink(missing_ok=True)
    folder.rename(tmp_path / "gone")
    time.sleep(0.05)
    folder.mkdir()
    end = time.monotonic() + 10
    while not (folder / "heartbeat").exists() and time.monotonic() < end:
        time.sleep(0.01)
    rest()
    assert (folder / "heartbeat").exists()
