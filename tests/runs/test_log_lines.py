import logging
import subprocess
import sys

import pytest

from plumbline.runs import log_lines

PROGRAM = """
import logging
from plumbline.runs import log_lines
log_lines.configure()
logging.getLogger("urllib3").warning("no answer from %s", "http://ann:s3cret@h:1/x")
try:
    raise OSError("postgresql://ann:s3cret@host/db")
except OSError:
    logging.getLogger("x").exception("failed")
"""


def test_no_line_of_a_log_has_a_password_whoever_writes_it():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True
    )
    assert "s3cret" not in done.stderr
    assert "no answer from http://h:1/x" in done.stderr
    assert "OSError: postgresql://host/db" in done.stderr


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:secret@host:5000/path", "http://host:5000/path"),
        ("http://user:p@ss@host/a", "http://host/a"),
        ("http://host/a@b", "http://host/a@b"),
        ("sqlite:////home/x/mlflow.db", "sqlite:////home/x/mlflow.db"),
        ("mail to ann@host", "mail to ann@host"),
    ],
)
def test_an_address_loses_its_user_and_password_and_nothing_else(text, shown):
    assert log_lines.without_password(text) == shown


def test_no_line_of_a_log_has_what_a_terminal_obeys():
    record = logging.LogRecord("x", 40, "f", 1, "got %s", ("\x1b[2J\u202ebad\nline",), None)
    assert log_lines.Formatter("%(message)s").format(record) == "got \\x1b[2J\\u202ebad\nline"
