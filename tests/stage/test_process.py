"""The process of a stage."""

import os
import sys

from plumbline.stage import process


def test_this_interpreter_and_its_dvc_come_first_on_the_path():
    made = process.environment()
    assert made["PATH"].split(os.pathsep)[0] == os.path.dirname(sys.executable)
    assert (made["DVC_NO_ANALYTICS"], made["DO_NOT_TRACK"]) == ("1", "1")
