import os
import subprocess
import sys

import pytest

from plumbline.runs import checkpoints
from plumbline.runs.checkpoints import Checkpoints


def writer(content: bytes):
    return lambda path: path.write_bytes(content)


@pytest.fixture
def fit(tmp_path):
    return Checkpoints(tmp_path / "work" / "fit")


def names(fit: Checkpoints) -> list[str]:
    return sorted(path.name for path in fit.folder.iterdir())


def test_a_checkpoint_is_named_after_its_batch_and_its_bytes(fit):
    path = fit.save(120, writer(b"abc"))
    # sha256 of "abc" is the example of FIPS 180-2.
    assert path.name == "0000000120-ba7816bf8f01cfea.ckpt"
    assert fit.newest_whole() == path
    assert path.read_bytes() == b"abc"


def test_the_newest_two_are_kept(fit):
    for batches in (9, 100, 11):
        fit.save(batches, writer(b"%d" % batches))
    assert [name[:10] for name in names(fit)] == ["0000000011", "0000000100"]


@pytest.mark.parametrize("spoilt", [b"", b"new", b"newes\0", b"Newest", b"newest\n"])
def test_a_checkpoint_that_does_not_agree_with_its_name_is_passed_over_by_name(fit, caplog, spoilt):
    older = fit.save(1, writer(b"older"))
    newest = fit.save(2, writer(b"newest"))
    newest.write_bytes(spoilt)
    assert fit.newest_whole() == older
    assert caplog.messages == [f"fit/{newest.name}: checkpoint is damaged and not used"]
    older.write_bytes(spoilt)
    assert fit.newest_whole() is None


def test_there_is_none_in_an_empty_or_missing_folder(fit, tmp_path):
    assert fit.newest_whole() is None
    assert fit.result() is None
    (tmp_path / "work" / "fit").mkdir(parents=True)
    (tmp_path / "work" / "fit" / "notes.txt").touch()
    assert fit.newest_whole() is None
    assert not checkpoints.exist(tmp_path / "work")
    assert checkpoints.position(tmp_path / "work") is None


def test_a_write_that_fails_leaves_what_was_there(fit):
    kept = fit.save(1, writer(b"whole"))

    def fail(path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        fit.save(2, fail)
    assert names(fit) == [kept.name]


def test_a_write_that_was_killed_is_swept_up_by_the_next_one(fit):
    program = (
        "import os, signal, sys; from pathlib import Path; "
        "from plumbline.runs.checkpoints import Checkpoints; "
        "Checkpoints(Path(sys.argv[1])).save(1, lambda p: (p.write_bytes(b'half'), "
        "os.kill(os.getpid(), signal.SIGKILL)))"
    )
    subprocess.run([sys.executable, "-c", program, fit.folder], check=False)
    assert names(fit) == ["0000000001.part"]
    assert fit.newest_whole() is None
    path = fit.save(1, writer(b"whole"))
    assert names(fit) == [path.name]


def test_a_result_takes_the_place_of_the_checkpoints(fit, tmp_path):
    fit.save(1, writer(b"one"))
    assert checkpoints.position(tmp_path / "work") == "batch 1 of fit"
    result = fit.finish(writer(b"result"))
    assert names(fit) == [result.name]
    assert fit.result() == result
    assert checkpoints.position(tmp_path / "work") == "the end of fit"
    assert checkpoints.exist(tmp_path / "work")
    result.write_bytes(b"torn")
    assert fit.result() is None


def test_the_position_is_that_of_the_fit_at_work(tmp_path):
    Checkpoints(tmp_path / "probe").finish(writer(b"result"))
    os.utime(tmp_path / "probe", (1, 1))
    Checkpoints(tmp_path / "fit").save(7, writer(b"seven"))
    assert checkpoints.position(tmp_path) == "batch 7 of fit"
