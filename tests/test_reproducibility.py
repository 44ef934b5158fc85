"""The classes of `tolerances.KINDS` hold for every network, fitted in fresh processes."""

import importlib.util
import sys

import pytest

from plumbline.verify import tolerances


@pytest.fixture(scope="module")
def benchmark(root):
    place = root / "benchmarks/reproducibility.py"
    spec = importlib.util.spec_from_file_location("reproducibility", place)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.slow
@pytest.mark.timeout(900)  # a minute where nothing else runs
def test_surroundings_change_no_bit_and_threads_none_beyond_the_tolerance(benchmark):
    variables = {"PYTHONHASHSEED": "7", "TZ": "Asia/Kathmandu", "LC_ALL": "C",
                 "ATEN_CPU_CAPABILITY": "default"}  # fmt: skip
    elsewhere = benchmark.Variation("elsewhere", variables, folder="else where/ü")
    threads = benchmark.Variation("threads", threads=2)
    found = benchmark.examine([elsewhere, threads])
    assert found["elsewhere"] == dict.fromkeys(benchmark.NETWORKS, (tolerances.BITWISE, ""))
    assert len(benchmark.NETWORKS) == 8
    assert {verdict for verdict, _ in found["threads"].values()} <= {
        tolerances.BITWISE,
        tolerances.WITHIN,
    }


def test_processes_of_a_loader_change_no_bit_of_a_batch(benchmark):
    assert benchmark.workers() == [(0, True), (2, True)]


def test_other_weights_are_judged_by_the_curve(benchmark, tmp_path):
    for name, loss in (("old", 1.0), ("near", 1.2), ("far", 2.0)):
        (tmp_path / name / "data/models/fnn").mkdir(parents=True)
        (tmp_path / name / "data/models/fnn/weights").write_text(name)
        (tmp_path / name / "reports/history").mkdir(parents=True)
        (tmp_path / name / "reports/history/fnn.csv").write_text(f"epoch,val/loss\n0,{loss}\n")
    old = tmp_path / "old"
    assert benchmark.judge("fnn", old, old) == ("bitwise", "")
    assert benchmark.judge("fnn", old, tmp_path / "near") == (
        "within tolerance",
        "row 1 val/loss by 0.2",
    )
    assert benchmark.judge("fnn", old, tmp_path / "far") == (
        "broken",
        "row 1 val/loss is 2, expected 1 ± 0.35",
    )


def test_the_page_that_is_kept_was_written_by_this_table_of_classes(benchmark, root):
    page = (root / "benchmarks/REPRODUCIBILITY.md").read_text(encoding="utf-8")
    assert (
        page.partition("## The classes")[2]
        == benchmark.report({}, []).partition("## The classes")[2]
    )
