"""Output of commands comes in whole lines, and a signal ends all of them."""

import signal
import sys
import threading
import time

import pytest

from plumbline.stage.scheduler.commands import Commands


def lines_of(program: str) -> tuple[int, list[str]]:
    lines: list[str] = []
    code = Commands().run([sys.executable, "-S", "-c", program], lines.append)
    return code, lines


def test_both_streams_come_line_by_line_with_the_last_one_and_the_code():
    program = (
        "import os, sys, time\n"
        "os.write(1, b'one\\nt'); time.sleep(0.05); os.write(1, b'wo\\n'); os.write(2, b'bad\\n')\n"
        "os.write(1, b'\\xffend'); sys.exit(3)"
    )
    assert lines_of(program) == (3, ["one", "two", "bad", "\ufffdend"])


def test_a_progress_bar_is_its_last_state_in_one_line():
    program = (
        "import os\n"
        "os.write(2, b'\\r 1/2'); os.write(2, b'\\r 2/2\\n'); os.write(1, b'dos\\r\\n')\n"
        "os.write(2, b''.join(b'\\rEpoch %d' % n for n in range(9999)))"
    )
    assert lines_of(program) == (0, [" 2/2", "dos", "Epoch 9998"])


def test_a_process_that_is_left_behind_does_not_hold_the_stage_up():
    program = (
        "import os, subprocess, sys\n"
        "subprocess.Popen(['sleep', '30']); os.write(1, b'done\\n' * 3000)"
    )
    start = time.monotonic()
    code, lines = lines_of(program)
    assert (code, len(lines)) == (0, 3000)
    assert time.monotonic() - start < 20


def test_a_command_has_no_standard_input():
    assert lines_of("import sys; print(repr(sys.stdin.read()))") == (0, ["''"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_commands_that_run_and_those_that_start_later(number):
    commands, codes = Commands(), []

    def run() -> None:
        codes.append(commands.run(["sleep", "30"], lambda line: None))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads[:2]:
        thread.start()
    time.sleep(0.3)
    commands.end(number)
    threads[2].start()
    for thread in threads:
        thread.join(10)
    assert codes == [-number] * 3


def test_ctrl_c_is_not_sent_twice_to_those_whom_the_terminal_sent_it():
    commands, codes = Commands(), []
    thread = threading.Thread(
        target=lambda: codes.append(commands.run(["sleep", "1"], lambda line: None))
    )
    thread.start()
    time.sleep(0.5)
    commands.end(signal.SIGINT, since=time.monotonic())
    thread.join()
    assert codes == [0]


def test_a_command_that_cannot_be_started_leaves_nothing_open():
    import psutil

    before = psutil.Process().num_fds()
    with pytest.raises(FileNotFoundError):
        Commands().run(["no-such-command"], lambda line: None)
    assert psutil.Process().num_fds() == before
