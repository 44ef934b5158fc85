"""Kernels are chosen before numbers are computed: variables, what libraries make of them, texts."""

import json
import os
import subprocess
import sys

import pytest

from plumbline.compat import kernels
from plumbline.errors import PlumblineError

V3 = "fpu sse4_2 avx avx2 fma f16c bmi1 bmi2 abm movbe"
TABLES = {
    "genoa": f"vendor_id\t: AuthenticAMD\nflags\t\t: {V3} avx512f avx512_vnni avx512_bf16\n",
    "two": f"vendor_id\t: GenuineIntel\nflags\t\t: {V3}\n\nvendor_id\t: AuthenticAMD\n",
    "haswell": f"processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: {V3}\n",
    "no movbe": f"vendor_id\t: GenuineIntel\nflags\t\t: {V3.replace('movbe', '')}\n",
    "ivy bridge": "vendor_id\t: GenuineIntel\nflags\t\t: fpu sse4_2 avx f16c\n",
    "arm": "processor\t: 0\nFeatures\t: fp asimd sve\nCPU implementer\t: 0x41\n",
    "empty": "",
}
NUMERIC = pytest.mark.skipif(not kernels.available(), reason="the processor has no AVX2")


@pytest.fixture
def processor(tmp_path, monkeypatch):
    """Make this machine one with the processor of a table as Linux writes it."""

    def change(name):
        table = tmp_path / "cpuinfo"
        table.write_text(TABLES[name])
        monkeypatch.setattr(kernels, "CPUINFO", table)

    return change


@pytest.fixture
def unpinned(monkeypatch):
    """Surroundings in which nobody has chosen kernels and no library is loaded."""
    for name in [*kernels.VARIABLES, kernels._BEFORE, "GLIBC_TUNABLES"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(kernels, "_NUMERIC", ())


def chosen() -> dict[str, str]:
    return {name: os.environ[name] for name in kernels.VARIABLES if name in os.environ}


@pytest.mark.parametrize(
    ("name", "portable", "native"),
    [
        ("genoa", True, "native AuthenticAMD avx2 fma avx512f avx512_vnni avx512_bf16"),
        ("two", True, "native GenuineIntel avx2 fma"),
        ("haswell", True, "native GenuineIntel avx2 fma"),
        ("no movbe", False, "native GenuineIntel avx2 fma"),
        ("ivy bridge", False, "native GenuineIntel"),
    ],
)
def test_a_processor_of_level_v3_has_the_portable_kernels(
    unpinned, processor, name, portable, native
):
    processor(name)
    assert kernels.available() == portable
    assert kernels.effective("portable") == ("portable" if portable else "native")
    assert kernels.describe("native") == native
    assert kernels.describe("portable") == ("portable x86-64-v3" if portable else native)


@pytest.mark.parametrize("name", ["arm", "empty"])
def test_other_processors_have_native_kernels_named_by_the_architecture(
    unpinned, processor, monkeypatch, name
):
    processor(name)
    monkeypatch.setattr(kernels.platform, "machine", lambda: "aarch64")
    assert not kernels.available()
    sets = " asimd sve" if name == "arm" else ""
    assert kernels.describe("portable") == f"native aarch64{sets}"


def test_a_system_without_a_table_has_native_kernels(unpinned, tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr(kernels.platform, "machine", lambda: "arm64")
    assert (kernels.available(), kernels.describe("portable")) == (False, "native arm64")
    kernels.pin("portable")
    assert chosen() == {}


def test_instructions_masked_for_the_c_library_rule_portable_kernels_out(
    unpinned, processor, monkeypatch
):
    processor("haswell")
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.arena_max=1")
    assert kernels.available()
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-FMA")
    assert not kernels.available()


def test_portable_kernels_override_the_users_choice_and_a_native_child_has_it_again(
    unpinned, processor, monkeypatch
):
    processor("genoa")
    monkeypatch.setenv("MKL_CBWR", "AVX512")
    monkeypatch.setenv("NPY_ENABLE_CPU_FEATURES", "AVX512F")  # an error beside NPY_DISABLE_…
    for _ in range(2):  # a parent and its child
        kernels.pin("portable")
        assert (os.environ["MKL_CBWR"], os.environ["ATEN_CPU_CAPABILITY"]) == ("COMPATIBLE", "avx2")
        assert "NPY_ENABLE_CPU_FEATURES" not in os.environ
    text = kernels.describe("native")
    assert text.endswith("avx512_bf16 MKL_CBWR=AVX512 NPY_ENABLE_CPU_FEATURES=AVX512F")
    kernels.pin("native")
    assert chosen() == {"MKL_CBWR": "AVX512", "NPY_ENABLE_CPU_FEATURES": "AVX512F"}
    assert kernels.describe("native") == text
    kernels.pin("native")
    assert kernels.describe("native") == text


def test_a_choice_made_below_the_pin_is_the_users(unpinned, processor, monkeypatch):
    processor("genoa")
    kernels.pin("portable")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "SkylakeX")
    kernels.pin("native")
    assert chosen() == {"OPENBLAS_CORETYPE": "SkylakeX"}


@NUMERIC
@pytest.mark.parametrize("library", ["numpy", "torch", "pyarrow"])
def test_a_pin_after_a_library_is_loaded_is_an_error(unpinned, monkeypatch, library):
    monkeypatch.setattr(kernels, "_NUMERIC", (library,))
    monkeypatch.setitem(sys.modules, library, sys)
    kernels.pin("native")  # changes nothing
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    with pytest.raises(
        PlumblineError, match=f"^kernels: must be chosen .* import of {library}, got"
    ):
        kernels.pin("portable")
    assert chosen() == {"MKL_CBWR": "AVX2"}
    monkeypatch.delitem(sys.modules, library)
    kernels.pin("portable")
    monkeypatch.setitem(sys.modules, library, sys)
    kernels.pin("portable")  # is in force
    with pytest.raises(PlumblineError, match="ATEN_CPU_CAPABILITY"):
        kernels.pin("native")


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ("2.4.0", "X86_V4 AVX512_ICL AVX512_SPR"),
        ("3.0.0rc1", "X86_V4 AVX512_ICL AVX512_SPR"),
        ("2.3.5", "AVX512F AVX512CD AVX512_KNL"),
        ("1.26.4", "AVX512F AVX512CD AVX512_KNL"),
    ],
)
def test_numpy_is_told_the_names_that_its_version_knows(monkeypatch, version, names):
    monkeypatch.setattr(kernels.metadata, "version", lambda name: version)
    assert kernels._settings()["NPY_DISABLE_CPU_FEATURES"].startswith(names)


def run(program: str, **env: str) -> str:
    mine = {k: v for k, v in os.environ.items() if k not in {*kernels.VARIABLES, kernels._BEFORE}}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**mine, **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


PIN = "from plumbline.compat import kernels; kernels.pin('portable')\n"


@NUMERIC
def test_numpy_computes_without_instructions_above_level_v3():
    program = (
        PIN + "import json, numpy\n"
        "found = numpy._core._multiarray_umath\n"
        "print(json.dumps([numpy.show_config(mode='dicts')['SIMD Extensions']['found'],\n"
        "  [n for n in found.__cpu_dispatch__ if found.__cpu_features__[n]]]))"
    )
    shown, features = json.loads(run(program, NPY_ENABLE_CPU_FEATURES="X86_V4"))
    assert features
    assert not [name for name in [*shown, *features] if "512" in name or "V4" in name]


@NUMERIC
def test_torch_and_its_libraries_compute_with_avx2():
    program = PIN + "import torch; print(torch.backends.cpu.get_cpu_capability())"
    assert run(program, ATEN_CPU_CAPABILITY="default").strip() == "AVX2"


@NUMERIC
def test_arrow_computes_with_avx2():
    program = PIN + "import pyarrow; print(pyarrow.runtime_info().simd_level)"
    assert run(program, ARROW_USER_SIMD_LEVEL="NONE").strip() == "avx2"


def test_the_module_loads_no_numerical_library():
    program = PIN + "import sys; print([n for n in ('numpy', 'torch') if n in sys.modules])"
    assert run(program).strip() == "[]"
