import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline.runs import processes


def test_a_process_is_told_from_a_later_one_of_the_same_id():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = processes.pipeline_of(child.pid)
    assert processes.is_alive(mark)
    assert not processes.is_alive({**mark, "started": mark["started"] + 1})
    assert processes.is_alive({**mark, "started": None, "host": "another"})  # cannot be known here
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
