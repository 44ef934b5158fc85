"""The display on a terminal: what it draws at any size, and how it leaves a real one."""

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

import pytest
from rich.console import Console

from plumbline.stage.scheduler.display import open_display
from plumbline.stage.scheduler.display.live import Live
from plumbline.stage.scheduler.display.plain import Plain
from plumbline.stage.scheduler.display.tally import Tally
from tests.stage.scheduler.display.test_tally import UPSTREAM, Clock
from tests.toy import Toy

HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"
CONTROLS = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def console(width: int = 100, height: int = 24) -> Console:
    sink = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    return Console(file=sink, force_terminal=True, width=width, height=height, highlight=False)


def drawn(live: Live) -> list[str]:
    """Return the lines at the bottom of the terminal."""
    return [row.plain.rstrip() for row in live._rows()]


@pytest.fixture
def clock():
    return Clock()


def test_each_running_stage_has_a_line_with_its_progress(clock):
    live = Live(Tally(UPSTREAM, 2, dict.fromkeys(UPSTREAM, 40.0), clock), console())
    live.started("train@a", 40.0)
    live.started("train@b", None)
    clock.now += 10
    live.line("train@a", "train@a: epoch 3/6   50 %  val/loss 1.5  at most 9 s left")
    live.started("prepare", 40.0)
    live.waiting("report")
    clock.now += 10
    rows = drawn(live)
    live.close()
    assert rows == [
        "  train@a       0:20  ━━━━━━━━────────  50 %  epoch 3/6  val/loss 1.5  at most 9 s left",
        "  train@b       0:20  ────────────────",
        "  prepare       0:10  ━━━━────────────        of about 0:40",
        "  0/6 stages    0:20  ────────────────        about 1:50 left, report waits for memory",
    ]


def test_what_has_ended_stands_above_in_a_line_each(clock):
    terminal = console()
    live = Live(Tally(UPSTREAM, 2, {}, clock), terminal)
    live.up_to_date("prepare")
    live.started("train@a", None)
    live.line("train@a", "train@a: epoch 6/6  100 %  val/loss 1.5")
    live.line("train@a", "train@a: a \x1b[31mred\x1b[0m warning\x07")
    live.finished("train@a", 75.0)
    live.started("train@b", None)
    clock.now += 3
    live.failed("train@b", "failed to run: python x, exited with 1")
    live.not_run(["evaluate@b", "report"])
    live.close()
    raw = terminal.file.buffer.getvalue()
    assert b"\x1b[31mred" not in raw
    assert b"\x07" not in raw
    lines = [line.rstrip() for line in CONTROLS.sub(b"", raw).decode().split("\n")]
    assert "train@a: a red warning\\x07" in lines
    assert any(line.endswith("✓ train@a       1:15  epoch 6/6  val/loss 1.5") for line in lines)
    failed = "✗ train@b       0:03  failed to run: python x, exited with 1"
    assert any(line.endswith(failed) for line in lines)
    assert lines[-4:] == [
        "train@b failed after 0:03: failed to run: python x, exited with 1",
        "not run because of train@b: evaluate@b, report",
        "6 stages: 1 failed, 2 not run, 1 run, 1 up to date, in 0:03",
        "",
    ]


@pytest.mark.parametrize("height", [2, 3, 5, 10, 24])
@pytest.mark.parametrize("width", [20, 40, 59, 60, 80, 200])
def test_no_line_is_wider_and_no_more_lines_are_drawn_than_the_terminal_has(clock, width, height):
    names = [f"{'a_very_long_name' * (number % 3)}train@数据{number}" for number in range(16)]
    plan = dict.fromkeys(names, ())
    live = Live(Tally(plan, 16, dict.fromkeys(names[:14], 4000.0), clock), console(width, height))
    for name in names:
        live.started(name, None)
        live.line(name, f"{name}: epoch 1/7   14 %  {'val/loss 1.5  ' * 20}")
    live.waiting(names[0])
    live.waiting(names[1])
    clock.now += 4000
    rows = list(live._rows())
    live.close()
    assert len(rows) <= max(height - 1, 2)
    assert max(row.cell_len for row in rows) <= width
    assert rows[-1].plain.lstrip().startswith("0/16")


def test_without_a_terminal_or_its_letters_lines_are_written(monkeypatch):
    for encoding, is_terminal in (("ascii", True), ("utf-8", False)):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
        monkeypatch.setattr(stream, "isatty", lambda answer=is_terminal: answer, raising=False)
        monkeypatch.setattr(sys, "stdout", stream)
        display = open_display(UPSTREAM, 2, {})
        assert isinstance(display, Plain)
        display.line("", "größer")
        assert stream.buffer.getvalue() in (b"gr\\xf6\\xdfer\n", "größer\n".encode())


class Terminal:
    """A command on a pseudo-terminal."""

    def __init__(self, toy: Toy, *words: str, size: tuple[int, int] = (24, 100), **env: str):
        self.pid, self._end = pty.fork()
        if self.pid == 0:
            os.chdir(toy.folder)
            full = {**toy.env, "TERM": "xterm-256color", "PLUMBLINE_TRACKING": "off", **env}
            os.execve(words[0], words, full)
        self.resize(*size)
        self.told = b""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, key: bytes) -> None:
        os.write(self._end, key)

    def read_until(self, condition, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.told
            ready, _, _ = select.select([self._end], [], [], 0.1)
            try:
                if ready and not (chunk := os.read(self._end, 65536)):
                    return
            except OSError:  # the command has ended
                return
            if ready:
                self.told += chunk

    def wait(self) -> int:
        self.read_until(lambda: False)
        os.close(self._end)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    @property
    def text(self) -> str:
        return CONTROLS.sub(b"", self.told).decode()


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path / "toy", lab=True)


REPRO = (sys.executable, "-m", "plumbline.cli", "repro", "-j", "2")


def test_a_real_pipeline_is_drawn_and_leaves_the_terminal_as_it_was(toy):
    terminal = Terminal(toy, *REPRO)
    terminal.read_until(lambda: b"train_fnn" in terminal.told)
    terminal.resize(10, 50)
    assert terminal.wait() == 0
    assert "✓ evaluate@fnn" in terminal.text
    assert "2 stages: 2 run, in 0:" in terminal.text
    assert "Checking cache" not in terminal.text  # a bar of DVC
    assert terminal.told.count(HIDE) == terminal.told.count(SHOW) == 1
    assert terminal.told.rfind(SHOW) > terminal.told.rfind(HIDE)


def test_without_colours_none_is_written(toy):
    terminal = Terminal(toy, *REPRO, NO_COLOR="1")
    assert terminal.wait() == 0
    before, _, _ = terminal.told.partition(b"2 stages: 2 run")
    assert b"\x1b[2K" in before
    assert not re.search(rb"\x1b\[(?:\d+;)*[349]\d(?:;\d+)*m", before)


def test_ctrl_c_leaves_the_terminal_as_it_was(toy):
    terminal = Terminal(toy, *REPRO, TOY="wait")
    terminal.read_until((toy.folder / "waiting").exists)
    terminal.press(b"\x03")
    assert terminal.wait() != 0
    assert terminal.told.rfind(SHOW) > terminal.told.rfind(HIDE) >= 0
    assert "not run" in terminal.text
    assert not is_alive(int((toy.folder / "pid").read_text()))


def test_a_killed_dvc_leaves_the_cursor_shown(toy):
    terminal = Terminal(toy, *REPRO, TOY="wait")
    terminal.read_until((toy.folder / "waiting").exists)
    stage = int((toy.folder / "pid").read_text())
    os.kill(parent(stage), signal.SIGKILL)
    assert terminal.wait() != 0
    assert terminal.told.rfind(SHOW) > terminal.told.rfind(HIDE) >= 0
    again = Terminal(toy, *REPRO)
    assert again.wait() == 0
    assert "had been killed" not in again.text  # of each path that it held


def parent(pid: int) -> int:
    """Return the nearest process above one that is DVC: a shell may stand between."""
    import psutil

    above = psutil.Process(pid).parents()
    return next(one.pid for one in above if any("run_dvc" in word for word in one.cmdline()))


def is_alive(pid: int) -> bool:
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
