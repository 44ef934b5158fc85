import errno
import os
import sys

import pytest

from plumbline.errors import DiskError
from plumbline.stage.failure import diagnose


def test_lightning_s_way_to_end_after_a_signal_is_seen_through():
    class SIGTERMException(SystemExit):
        pass

    assert diagnose(SIGTERMException())[:2] == (143, "KILLED")

    def stop_gracefully():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)

    with pytest.raises(SystemExit) as caught:
        stop_gracefully()
    assert diagnose(caught.value)[:2] == (130, "KILLED")


@pytest.mark.parametrize(("given", "code"), [(0, 1), (None, 1), (5, 5), ("text", 1)])
def test_a_script_that_exits_by_itself_never_counts_as_done(given, code):
    assert diagnose(SystemExit(given)) == (code, "FAILED", f"stopped: exit code {given}")


def test_a_stopped_stage_says_from_where_it_will_go_on():
    assert diagnose(KeyboardInterrupt(), resumes="batch 7 of fit").text == (
        "stopped: interrupted; DVC records nothing of this stage, the next repro goes on from "
        "batch 7 of fit"
    )


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        RuntimeError(f"I/O error: {os.strerror(errno.ENOSPC)} (os error 28)"),  # safetensors
    ],
)
def test_a_full_disk_is_seen_through_what_libraries_make_of_it(error):
    def write():
        try:
            raise error
        except Exception as cause:
            raise ValueError("a file must be written") from cause

    with pytest.raises(ValueError, match="written") as caught:
        write()
    assert diagnose(caught.value, stage="train_rnn", resumes="batch 7 of fit") == (
        DiskError.exit_code,
        "FAILED",
        "train_rnn: disk must have room, got 'No space left on device'; free some and run it "
        "again; it goes on from batch 7 of fit",
    )


def test_a_quota_counts_as_a_full_disk_and_the_file_is_named():
    text = diagnose(OSError(errno.EDQUOT, "quota", "/home/a/x.ckpt"), stage="train_rnn").text
    assert text == (
        "train_rnn: disk must have room, got 'Disk quota exceeded' at x.ckpt; "
        "free some and run it again"
    )
