"""How speed is measured: turns, ratios, the table, and what a script that fails leaves."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def folder(root: Path) -> Path:
    return root / "benchmarks"


@pytest.fixture
def measure(folder: Path) -> ModuleType:
    return load(folder / "measure.py", "measure")


def load(file: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(folder: Path, measure: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(folder))
    return load(folder / "run.py", "run_benchmarks")


def test_ours_and_the_peers_take_turns_and_the_first_round_does_not_count(measure) -> None:
    order: list[str] = []
    turns = measure.take_turns(
        lambda: order.append("a"), lambda: order.append("b"), lambda: order.append("c"), turns=2
    )
    assert order == list("abc") * 3
    assert [len(seconds) for seconds in turns.seconds] == [2, 2, 2]


def test_a_ratio_is_the_median_of_the_ratios_of_the_turns(measure) -> None:
    # 30/1, 8/2 and 30/3: median 10; the ratio of the medians would be 30/2.
    turns = measure.Turns(((1.0, 2.0, 3.0), (30.0, 8.0, 30.0)))
    row = measure.faster(5, "what", "size", "peer", turns, goal=10)
    assert (row.figure, row.goal, row.reached) == ("10.0× (4.0×–30×)", "≥ 10×", True)
    assert (row.ours, row.peer_seconds) == (2.0, 30.0)
    assert measure.faster(5, "what", "size", "peer", turns, goal=10.1).reached is False
    scaled = measure.faster(5, "what", "size", "peer", turns, goal=100, scale=10)
    assert (scaled.figure, scaled.reached, scaled.peer_seconds) == ("100× (40×–300×)", True, 300.0)


def test_a_share_of_the_peers_time_is_held_from_above(measure) -> None:
    turns = measure.Turns(((1.2, 1.3, 1.5), (1.0, 1.0, 1.0)))
    row = measure.within(4, "what", "size", "peer", turns, goal=1.3)
    assert (row.figure, row.reached) == ("1.30 of its time (1.20–1.50)", True)
    assert measure.within(4, "what", "size", "peer", turns, goal=1.2).reached is False


def test_the_table_goes_by_number_and_tells_why_a_goal_was_missed(measure) -> None:
    missed = measure.Row(7, "late", "n", "peer", "2×", "≥ 3×", reached=False, why="It sorts twice.")
    reached = measure.Row(2, "early", "n", "peer", "4×", "≥ 3×", reached=True, why="Unsaid.")
    told = measure.table([missed, reached])
    assert told.index("| 2 | early") < told.index("| 7 | late")
    assert "- **7, late, n** against peer: 2×, goal ≥ 3×. It sorts twice.\n" in told
    assert "Unsaid." not in told


def test_every_script_that_measures_speed_is_found(run: ModuleType, folder: Path) -> None:
    found = run.scripts()
    assert {"audit_speed", "rnn", "scratch"} <= set(found)
    assert not {"run", "measure", "coverage", "reproducibility"} & set(found)


def test_a_script_that_fails_keeps_the_rows_it_had(
    run: ModuleType, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torn.py").write_text(
        f"import sys; sys.path.insert(0, {str(folder)!r})\n"
        "import measure\n\n"
        "def rows():\n"
        "    yield measure.Row(1, 'made', 'n', 'peer', '2×')\n"
        "    raise SystemExit('the peer is not there')\n\n"
        "if __name__ == '__main__':\n"
        "    measure.main(rows, __doc__)\n"
    )
    monkeypatch.setattr(run, "HERE", tmp_path)
    rows, good = run.run("torn")
    assert [row.what for row in rows] == ["made"]
    assert not good
    assert "\nFailed: torn; the rows above" in run.document(rows, ["torn"], minutes=1)


@pytest.mark.slow
def test_the_comparison_for_gpus_runs_without_one_and_then_writes_nothing(folder: Path) -> None:
    before = sorted(folder.glob("*.md"))
    done = subprocess.run(
        [sys.executable, "gpu.py", "--tiny"], cwd=folder, capture_output=True, text=True,
        timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| 22")]
    assert len(lines) == 7
    assert [line[6] for line in lines if "a repeat" in line[1]] == ["the same bits"]
    assert "has no GPU, so the figures say nothing" in done.stdout
    assert sorted(folder.glob("*.md")) == before
