"""Choose the instructions that numerical libraries compute with, before any of them is imported.

NumPy, OpenBLAS, torch, oneDNN, MKL and Arrow pick their kernels by the processor that they find,
and other kernels round other last bits. Held to those of AVX2, which every x86-64 processor of
level v3 has, they compute the same bits on all of them. Each library reads its variable once, when
it is loaded.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from plumbline.errors import PlumblineError

Choice = Literal["portable", "native"]

PORTABLE = "portable x86-64-v3"
CPUINFO = Path("/proc/cpuinfo")

# Instruction sets that numerical libraries choose their kernels by.
INSTRUCTIONS = (
    "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "sve",
)  # fmt: skip

# Of x86-64-v3, as Linux names them (abm is LZCNT): NumPy drops to older kernels if one is missing.
_LEVEL_3 = frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"})

_PINNED = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "DNNL_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",  # with AVX2 matrix products differ between vendors
    "OPENBLAS_CORETYPE": "Haswell",
    "ARROW_USER_SIMD_LEVEL": "AVX2",
}
# Above x86-64-v3, as NumPy names them: it warns of a name that it does not know, and misses others.
_NUMPY, _NUMPY_BEFORE_2_4 = (
    "X86_V4 AVX512_ICL AVX512_SPR",
    "AVX512F AVX512CD AVX512_KNL AVX512_KNM AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR",
)
# Would choose other kernels or other precision; NumPy refuses both of its variables at once.
_REMOVED = (
    "NPY_ENABLE_CPU_FEATURES", "MKL_ENABLE_INSTRUCTIONS", "MKL_DEBUG_CPU_TYPE",
    "ONEDNN_CPU_ISA_HINTS", "DNNL_CPU_ISA_HINTS",
    "ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE",
)  # fmt: skip
VARIABLES = (*_PINNED, "NPY_DISABLE_CPU_FEATURES", *_REMOVED)

# What the variables were before the pin, for a child that computes with native kernels.
_BEFORE = "PLUMBLINE_KERNEL_VARIABLES_BEFORE"
_NUMERIC = ("numpy", "torch", "pyarrow")


@dataclass(frozen=True)
class Processor:
    """What a system says of its processor.

    Attributes
    ----------
    vendor : str
        E.g. ``GenuineIntel``; the architecture where the system names none.
    model : str
    flags : frozenset of str
        Instruction sets and other features, as Linux names them; empty on other systems.
    """

    vendor: str
    model: str
    flags: frozenset[str]


def processor(table: Path | None = None) -> Processor:
    """Return the first processor of a table as Linux writes it, by default of this machine."""
    table = table or CPUINFO
    machine = platform.machine()
    if not table.exists():
        return Processor(machine, platform.processor(), frozenset())
    with table.open(encoding="utf-8") as lines:  # Linux asks each processor as its lines are read
        block = itertools.takewhile(str.strip, lines)
        pairs = [line.partition(":") for line in block]
    first = {key.strip(): value.strip() for key, _, value in pairs}
    return Processor(
        vendor=first.get("vendor_id", machine),
        model=first.get("model name", platform.processor()),
        flags=frozenset(first.get("flags", first.get("Features", "")).split()),
    )


def available() -> bool:
    """Return whether this process can compute with the portable kernels.

    The processor must be an x86-64 of level v3, and nobody may have masked instructions for glibc,
    whose functions choose by them when a process starts.
    """
    masked = "hwcaps" in os.environ.get("GLIBC_TUNABLES", "")
    return processor().flags >= _LEVEL_3 and not masked


def effective(choice: Choice) -> Choice:
    """Return ``portable`` where that is chosen and available, ``native`` otherwise."""
    return "portable" if choice == "portable" and available() else "native"


def describe(choice: Choice) -> str:
    """Return the kernels that this machine computes with under a choice.

    Equal texts mean equal kernels: a constant for the portable ones; for native ones the vendor,
    the instruction sets and the variables by which the user chooses others.
    """
    if effective(choice) == "portable":
        return PORTABLE
    found = processor()
    sets = (name for name in INSTRUCTIONS if name in found.flags)
    variables = (f"{name}={value}" for name, value in sorted(_own().items()))
    return " ".join(["native", found.vendor, *sets, *variables])


def pin(choice: Choice) -> None:
    """Set the variables of a choice for this process and its children.

    Portable kernels override what the user's surroundings set. Native ones leave that, and give it
    back where a parent of this process has overridden it.

    Raises
    ------
    PlumblineError
        If a library that reads a variable was imported while that had another value.
    """
    own = _own()
    portable = effective(choice) == "portable"
    wanted = _settings() if portable else own
    loaded = [name for name in _NUMERIC if name in sys.modules]
    if loaded and (changed := _changes(wanted)):
        raise PlumblineError(
            f"kernels: must be chosen before the import of {', '.join(loaded)}, got other values "
            f"of {', '.join(changed)}; import it later, inside the function that computes"
        )
    for name in VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(wanted)
    if portable:
        os.environ[_BEFORE] = json.dumps(own)
    else:
        os.environ.pop(_BEFORE, None)


def _changes(wanted: Mapping[str, str]) -> list[str]:
    return [name for name in VARIABLES if os.environ.get(name) != wanted.get(name)]


def _own() -> dict[str, str]:
    """Return the variables as the user set them: without what a parent pinned."""
    now = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    if _BEFORE not in os.environ:
        return now
    pinned = _settings()
    before: dict[str, str] = json.loads(os.environ[_BEFORE])
    return {**before, **{name: now[name] for name in now if now[name] != pinned.get(name)}}


def _settings() -> dict[str, str]:
    try:
        numpy = tuple(map(int, re.findall(r"\d+", metadata.version("numpy"))[:2]))
    except metadata.PackageNotFoundError:
        numpy = (2, 4)
    names = _NUMPY if numpy >= (2, 4) else _NUMPY_BEFORE_2_4
    return {**_PINNED, "NPY_DISABLE_CPU_FEATURES": names}
