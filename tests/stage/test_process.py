"""The process of a stage, and the process that logs its runs to MLflow."""

import os
import sys
import time

from plumbline.runs import records
from plumbline.stage import process


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
