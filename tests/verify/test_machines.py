"""Differences between two environments, named one by one."""

import pytest

from plumbline import artifacts, params
from plumbline.compat import kernels
from plumbline.runs import provenance
from plumbline.verify import machines

NOTED = {
    "python": "3.11.7",
    "system": "Linux",
    "kernels": "portable x86-64-v3",
    "threads": 1,
    "requirements": "abc",
    "packages": {"numpy": "2.4.6", "torch": "2.14.0"},
}


def test_this_machine_does_not_differ_from_itself(root, tmp_path):
    trainer = params.load(root / "params.yaml").trainer
    here = artifacts.plain(provenance.environment(tmp_path, trainer))
    assert machines.differences(here, here) == ""


def test_no_note_names_no_difference():
    assert machines.differences(None, NOTED) == ""


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"python": "3.12.1"}, "python 3.11.7 against 3.12.1"),
        (
            {"packages": {"numpy": "2.4.6", "torch": "2.13.0"}},
            "other package versions: torch 2.14.0 against 2.13.0",
        ),
        (
            {"packages": {"numpy": "2.4.6"}, "system": "Darwin"},
            "system Linux against Darwin, other package versions: torch 2.14.0 against None",
        ),
        ({"processor": "another"}, ""),  # noted of one of them only
        ({"kernels": "native", "threads": 4, "requirements": "def"}, ""),  # compared per stage
    ],
)
def test_what_differs_is_named(change, named):
    assert machines.differences(NOTED, {**NOTED, **change}) == named


def test_a_gpu_is_named_even_where_both_have_one():
    one, two = ({**NOTED, "accelerator": name} for name in ("gpu", "cpu"))
    assert machines.differences(one, one) == "accelerator gpu"
    assert machines.differences(one, two) == "accelerator gpu against cpu"
    assert machines.differences(two, two) == ""


def test_native_kernels_of_a_processor_that_has_no_others_say_so(tmp_path, monkeypatch):
    table = tmp_path / "cpuinfo"
    table.write_text("vendor_id : GenuineIntel\nflags : sse2 avx\n")
    monkeypatch.setattr(kernels, "CPUINFO", table)
    named = machines.kernel_difference("portable x86-64-v3", kernels.describe("portable"))
    assert named == "native kernels (no x86-64 with AVX2)"
    assert machines.kernel_difference("native B", "portable x86-64-v3") == "native kernels"


def test_a_processor_that_both_note_is_compared():
    one, two = ({**NOTED, "processor": name} for name in ("A", "B"))
    assert machines.differences(one, two) == "processor A against B"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("portable x86-64-v3", "portable x86-64-v3", ""),
        ("portable x86-64-v3", "native AuthenticAMD avx2", "native kernels"),
        ("native A avx2", "native B avx512f", "native kernels"),
        ("portable x86-64-v3", "portable x86-64-v4",
         "kernels portable x86-64-v3 against portable x86-64-v4"),
        (None, "portable x86-64-v3", "kernels are recorded in one of them only"),
    ],
)  # fmt: skip
def test_kernels_that_differ_are_named(old, new, named):
    assert machines.kernel_difference(old, new) == named
