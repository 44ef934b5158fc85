"""How speed is measured: turns, ratios, the table, and what a script that fails leaves."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from plumbline.compat import kernels

pytestmark = pytest.mark.no_cover  # the library's part of it has tests of its own


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


# Makes every package unknown that those named first, and what they require, do without.
ONLY = """
import importlib.metadata as metadata, re, runpy, sys

def named(text):
    return re.split(r"[^A-Za-z0-9._-]", text)[0].lower().replace("_", "-")

needed, waiting = set(), {NAMED!r}.split()
while waiting:
    name = waiting.pop()
    if name in needed:
        continue
    try:
        requires = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        continue
    needed.add(name)
    waiting += [named(line) for line in requires if "extra ==" not in line]
known = {{name for name, owners in metadata.packages_distributions().items()
         if not any(named(owner) in needed for owner in owners)}} - {{"plumbline"}}

class Hiding:
    def __init__(self, finder):
        self.finder = finder
    def find_distributions(self, *context):
        every = getattr(self.finder, "find_distributions", lambda *context: ())(*context)
        return (one for one in every if named(one.name) in needed)
    def find_spec(self, name, path=None, target=None):
        hidden = name.partition(".")[0] in known
        return None if hidden else self.finder.find_spec(name, path, target)

assert {{"dvc", "mlflow", "pandas", "sklearn"}} <= known
sys.meta_path[:] = map(Hiding, sys.meta_path)
sys.argv[:] = ["gpu.py", "--tiny"]
sys.path.insert(0, "")
runpy.run_path("gpu.py", run_name="__main__")
"""
USUAL = "torch pytorch-lightning timm torchmetrics scipy pydantic pyyaml"


@pytest.mark.slow
def test_the_comparison_for_gpus_runs_without_one_and_then_writes_nothing(folder: Path) -> None:
    before = sorted(folder.glob("*.md"))
    done = subprocess.run(
        [sys.executable, "-c", ONLY.format(NAMED=USUAL)], cwd=folder, capture_output=True,
        text=True, timeout=250, check=False,
        env={name: os.environ[name] for name in os.environ if name not in kernels.VARIABLES},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| 22")]
    assert len(lines) == 15
    assert len([line for line in lines if "no GPU: the same step without a graph" in line[9]]) == 2
    assert [line[6] for line in lines if "a repeat" in line[1]] == ["the same bits"] * 4
    assert [line[6] for line in lines if "its loss" in line[1]] == ["0 apart"] * 3
    assert "has no GPU, so the figures say nothing" in done.stdout
    assert sorted(folder.glob("*.md")) == before


@pytest.fixture
def small(folder: Path, measure: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(folder))
    return importlib.import_module("gpu_small")


def test_what_a_gpu_is_fed_there_are_the_bits_of_the_loader_in_memory(small: ModuleType) -> None:
    images, labels = small.pictures(32)
    feeding = small.Feeding(images, labels, batch=8)
    expected = small.in_memory(images, labels, batch=8)
    for epoch in (0, 3):
        expected.set_epoch(epoch)
        for chosen, (inputs, targets) in zip(feeding.begin(epoch), expected, strict=True):
            feeding.chosen.copy_(chosen)
            found, wanted = feeding.batch()
            assert found.dtype == inputs.dtype
            assert found.equal(inputs)
            assert wanted.equal(targets)
            assert not found.equal(images[chosen])


def test_a_step_that_feeds_itself_has_the_losses_of_an_eager_one(small: ModuleType) -> None:
    images, labels = small.pictures(32)
    options = {"batch": 8, "half": False}
    ours = small.first_losses("test_resnet", images, labels, **options)
    eager = small.eager_losses("test_resnet", images, labels, **options)
    assert ours.tolist() == pytest.approx(eager.tolist(), rel=1e-4)
    assert len(set(ours.tolist())) == small.CHECKED


def test_a_step_begins_again_as_if_it_had_never_run(small: ModuleType) -> None:
    feeding = small.Feeding(*small.pictures(32), batch=8)
    step = small.Step(small.network("test_resnet", channels_last=True), feeding, half=False)

    def losses() -> list[float]:
        found = []
        for chosen in feeding.begin(0):
            feeding.chosen.copy_(chosen)
            step()
            found.append(step.loss.item())
        return found

    first, later = losses(), losses()
    step.restart()
    assert losses() == first != later


def test_nothing_is_timed_where_the_losses_differ(
    small: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = small.pictures(32)
    right = small.eager_losses
    monkeypatch.setattr(small, "eager_losses", lambda *a, **b: right(*a, **b) * 1.01)
    with pytest.raises(ArithmeticError, match=r"test_resnet must be within 0\.001"):
        small.check("test_resnet", images, labels, batch=8)


@pytest.fixture
def gpu(small: ModuleType, measure: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    found = importlib.import_module("gpu")
    monkeypatch.setattr(found, "BEGAN", time.monotonic())
    return found


def test_a_comparison_for_gpus_that_fails_is_a_row_and_keeps_the_others(
    gpu: ModuleType, measure: ModuleType
) -> None:
    def torn() -> object:
        yield measure.Row(22, "made", "n", "peer", "2×")
        raise RuntimeError("no kernel | image")

    made, failed = gpu.attempted("torn", torn(), seconds=60)
    assert (made.what, failed.what, failed.figure) == ("made", "torn", gpu.FAILED)
    assert "RuntimeError: no kernel / image" in gpu.document([made, failed])


def test_a_comparison_for_gpus_is_stopped_when_its_time_is_over(
    gpu: ModuleType, measure: ModuleType
) -> None:
    def slow() -> object:
        yield measure.Row(22, "made", "n", "peer", "2×")
        time.sleep(60)

    began = time.monotonic()
    made, failed = gpu.attempted("slow", slow(), seconds=1.5)
    assert time.monotonic() - began < 30
    assert (made.what, failed.figure) == ("made", gpu.FAILED)
    assert failed.why.startswith("TimeoutError: took longer than the ")
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_comparisons_for_gpus_that_find_no_time_left_are_rows_that_say_so(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "BEGAN", time.monotonic() - gpu.ALL)
    found = list(gpu.rows(gpu.TINY))
    assert {row.figure for row in found} == {gpu.NOT_RUN}
    assert [row.what for row in found] == [
        "test_resnet", "character LSTM", "DCGAN", "features", "default fnn", "default cnn",
        "default rnn", "default gan", "test_resnet",
    ]  # fmt: skip
    assert "None of its 45 seconds were left." in gpu.document(found)
