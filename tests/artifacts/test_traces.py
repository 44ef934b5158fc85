import gzip
import hashlib
import json
import re

import pytest

from plumbline.artifacts import traces
from plumbline.errors import ArtifactError


def write(path, *steps: tuple[str, int]) -> list[str]:
    """Lines of the given fits and steps; returns them."""
    chains: dict[str, str] = {}
    lines = []
    for fit, step in steps:
        content = {"fit": fit, "step": step, "loss": {"loss": (0.1 * step).hex()}}
        text, chains[fit] = traces.encode(chains.get(fit, traces.START), content)
        lines.append(text)
    path.write_text("".join(lines))
    return lines


STEPS = [("probe", 1), ("probe", 2), ("fit", 1), ("fit", 2), ("fit", 3)]


def test_a_chain_is_the_digest_of_the_chain_before_it_and_the_line(tmp_path):
    write(tmp_path / "t", *STEPS)
    first, second, third = traces.read(tmp_path / "t")["fit"]
    text = json.dumps({k: v for k, v in third.items() if k != "chain"}, separators=(",", ":"))
    assert third["chain"] == hashlib.sha256(f"{second['chain']}\n{text}".encode()).hexdigest()
    text = '{"fit":"fit","step":1,"loss":{"loss":"' + (0.1).hex() + '"}}'
    assert first["chain"] == hashlib.sha256(f"\n{text}".encode()).hexdigest()


@pytest.mark.parametrize("left", range(1, 60, 7))
def test_a_trace_cut_in_the_middle_of_a_line_is_read_up_to_the_line_before(tmp_path, left):
    lines = write(tmp_path / "t", *STEPS)
    (tmp_path / "t").write_text("".join(lines[:-1]) + lines[-1][:left])
    found = traces.read(tmp_path / "t")
    assert [len(found["probe"]), len(found["fit"])] == [2, 2]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [('"step":2', '"step":3', 2), ((0.1).hex(), (0.2).hex(), 1), ('"fit":"fit"', '"fit":"top"', 3)],
)
def test_a_changed_line_is_named(tmp_path, old, new, line):
    path = tmp_path / "t"
    write(path, *STEPS)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ArtifactError, match=f"^t: line {line} must continue the chain of the line"):
        traces.read(path)


def test_a_line_that_is_missing_is_noticed(tmp_path):
    lines = write(tmp_path / "t", *STEPS)
    del lines[3]
    (tmp_path / "t").write_text("".join(lines))
    with pytest.raises(ArtifactError) as caught:
        traces.read(tmp_path / "t")
    assert str(caught.value) == (
        "t: line 4 must continue the chain of the line before it, got step 3 of fit 'fit'; it was "
        "changed, or lines are missing"
    )


def test_what_is_no_trace_is_refused(tmp_path):
    (tmp_path / "t").write_text('{"k": "loss", "v": 1}\n')
    message = 't: line 1 must be a step of a trace, got b\'{"k": "loss", "v": 1}\\n\''
    with pytest.raises(ArtifactError, match=f"^{re.escape(message)}$"):
        traces.read(tmp_path / "t")
    (tmp_path / "t").write_bytes(gzip.compress(b"x" * 9999)[:-9])
    with pytest.raises(ArtifactError, match=r"^t: trace must be whole, got "):
        traces.read(tmp_path / "t")


@pytest.mark.parametrize(
    ("fit", "step", "left"),
    [("fit", 3, 5), ("fit", 2, 4), ("fit", 0, 2), ("probe", 1, 1), ("probe", 0, 0), ("new", 0, 5)],
)
def test_a_fit_that_goes_on_cuts_off_what_lies_behind_its_step(tmp_path, fit, step, left):
    lines = write(tmp_path / "t", *STEPS)
    with (tmp_path / "t").open("a") as stream:
        stream.write(lines[-1][:20])  # torn
    traces.cut(tmp_path / "t", fit=fit, step=step)
    assert (tmp_path / "t").read_text() == "".join(lines[:left])
    traces.cut(tmp_path / "none", fit=fit, step=step)


def test_a_kept_trace_is_compressed_if_large_and_reads_the_same(tmp_path, monkeypatch):
    book = tmp_path / "book"
    book.mkdir()
    assert traces.find(book) is None
    write(book / traces.FILE, *STEPS)
    expected = traces.read(book / traces.FILE)
    assert traces.keep(book / traces.FILE, book / "files") == "trace.jsonl"
    monkeypatch.setattr(traces, "_LARGE", 100)
    assert traces.keep(book / traces.FILE, book / "files") == "trace.jsonl.gz"
    first = (book / "files/trace.jsonl.gz").read_bytes()
    traces.keep(book / traces.FILE, book / "files")
    assert (book / "files/trace.jsonl.gz").read_bytes() == first
    assert traces.find(book) == book / traces.FILE
    (book / traces.FILE).unlink()
    assert traces.read(traces.find(book)) == expected
    assert [path.name for path in (book / "files").iterdir()] == ["trace.jsonl.gz"]
