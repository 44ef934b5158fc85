"""A broken model is explained by the first step at which two fits of it part."""

import os

import pytest

from plumbline.verify import reproduce
from tests.toy import Toy

# Behind the import of `stage` in the toy's training script: a fit of five steps whose loss at the
# third, and the weights it ends with, depend on the environment variable DRIFT names.
TRACED = """
import hashlib, os
from plumbline.artifacts import traces

def drift():
    return int(hashlib.sha256(os.environ.get("{variable}", "").encode()).hexdigest()[:2], 16)

def trace(run):
    chain, lines = traces.START, ""
    for step in range(1, 6):
        moved = drift() if step >= 3 else 0
        line = {{
            "fit": "fit", "step": step, "rates": [], "weights": {{"weight": "w"}},
            "samples": [step], "inputs": ["x"], "random": "r",
            "loss": {{"loss": float(step + moved).hex()}}, "gradient": {{}}, "gradient_norm": "0x0p+0",
        }}
        text, chain = traces.encode(chain, line)
        lines += text
    if run.trace is not None:
        run.trace.write_text(lines)

def main(run):
    trace(run)
"""  # noqa: E501


@pytest.fixture
def drifting(tmp_path, monkeypatch):
    """A toy whose model depends on an environment variable, and that is locked with ``made``."""

    def make(variable: str, *, traced: bool = False, **made: str) -> Toy:
        toy = Toy(tmp_path / "toy", sources=True)
        script = toy.folder / "pipelines/train.py"
        text = script.read_text().replace("def main(run):\n", TRACED.format(variable=variable))
        assert "value = run.params.seed +" in text
        script.write_text(text.replace("value = run.params.seed +", "value = drift() +"))
        if traced:
            path = toy.folder / "params.yaml"
            path.write_text(path.read_text().replace("trace: false", "trace: true"))
        toy.commit()
        toy.repro(**made)
        toy.commit()
        for name in [name for name in os.environ if name.startswith("DVC_")]:
            monkeypatch.delenv(name)
        return toy

    return make


PARTED = (
    "diverged: fit 'fit', step 3: equal weights and inputs give another loss (forward pass): loss"
)


@pytest.mark.slow
def test_where_two_clones_part_is_told_under_the_table(drifting, tmp_path, capsys):
    toy = drifting("TZ")
    overlay = tmp_path / "over.yaml"
    overlay.write_text("seed: 3\n")
    assert reproduce.run(toy.folder, overlays=[overlay], clones=2) == 1
    out = capsys.readouterr().out
    assert "broken: train_fnn data/models/fnn" in out
    assert PARTED in out
    assert out.index("Verification") < out.index(PARTED)


@pytest.mark.slow
def test_a_lock_of_another_environment_is_told_from_a_fit_that_does_not_repeat(
    drifting, capsys, caplog
):
    toy = drifting("MADE", MADE="elsewhere")
    with caplog.at_level("INFO"):
        assert reproduce.run(toy.folder) == 1
    assert "equal: the traces agree in every step" in capsys.readouterr().out
    assert caplog.messages[-1] == (
        "verify: two runs of train_fnn here have the same bits; the lock was made by other code, "
        "in another environment or by chance"
    )


@pytest.mark.slow
def test_a_fit_that_does_not_repeat_here_either_is_caught(drifting, capsys, caplog):
    toy = drifting("TZ", TZ="Europe/Rome")
    with caplog.at_level("INFO"):
        assert reproduce.run(toy.folder) == 1
    assert PARTED in capsys.readouterr().out
    assert "two runs of train_fnn here have the same bits" not in caplog.text


@pytest.mark.slow
def test_a_traced_run_of_the_work_tree_that_made_the_lock_is_compared_with(
    drifting, capsys, caplog
):
    toy = drifting("MADE", traced=True, MADE="elsewhere")
    with caplog.at_level("INFO"):
        assert reproduce.run(toy.folder) == 1
    assert PARTED in capsys.readouterr().out
    assert "is run once more" not in caplog.text
