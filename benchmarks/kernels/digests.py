"""Digest what kernels compute, so that processors can be compared bit for bit.

``python benchmarks/kernels/digests.py measure`` computes the quantities of ``groups/`` with
portable and with native kernels, each in a process of its own, and writes their digests to a file
of this folder that is named after the processor. ``--emulator "qemu-x86_64 -cpu Haswell"`` runs
them under an emulator. ``python benchmarks/kernels/digests.py table`` compares all files and writes
``DIGESTS.md``. A quantity whose digests are equal on two processors has equal bits there.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

GROUPS = (
    "reference",
    "operations",
    "arrays",
    "tables",
    "learners",
    "pictures",
    "networks",
    "metrics",
)
MODES = ("portable", "native")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
PACKAGES = (
    "numpy", "scipy", "pandas", "pyarrow", "duckdb", "scikit-learn", "fairlearn", "pillow",
    "matplotlib", "torch", "torchvision", "timm",
)  # fmt: skip
# What decides which instructions kernels use; a process that is measured sets its own.
VARIABLES = re.compile(
    "ATEN_CPU_|ONEDNN_|DNNL_|MKL_|OPENBLAS_|NPY_DISABLE_|NPY_ENABLE_|ARROW_USER_|PLUMBLINE_KERNEL_"
)
FEATURES = """
from numpy._core._multiarray_umath import __cpu_features__ as features
print(*(name for name in features if features[name]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    measure = commands.add_parser("measure", help="compute digests here and write their file")
    measure.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    measure.add_argument("--emulator", default="", help="a command that runs the interpreter")
    commands.add_parser("table", help="compare all files and write DIGESTS.md")
    child = commands.add_parser("child", help="print the digests of one mode")
    child.add_argument("mode", choices=MODES)
    child.add_argument("groups", nargs="*", default=GROUPS)
    chosen = parser.parse_args()
    if chosen.command == "measure":
        found = record(chosen.modes, shlex.split(chosen.emulator))
        file = HERE / f"{slug(found['processor'])}.json"
        file.write_text(json.dumps(found, indent=1) + "\n")
        print(file)
    elif chosen.command == "child":
        print_digests(chosen.mode, chosen.groups)
    else:
        import table

        (HERE / "DIGESTS.md").write_text(table.document(table.read(HERE), table.stages(HERE)))


def record(modes: Iterable[str], emulator: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a file of this folder holds: the processor, versions, and digests by mode."""
    found: dict[str, Any] = {
        "processor": emulated(emulator) if emulator else processor(),
        "emulated": bool(emulator),
        "instructions": python([*emulator], "-c", FEATURES).split(),
        **environment(),
    }
    for mode in modes:
        found[mode] = digests(mode, emulator=emulator)
    return found


def environment() -> dict[str, Any]:
    """Return what must be equal before digests can be: Python, C library and packages."""
    return {
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def digests(
    mode: str, groups: Iterable[str] = GROUPS, *, emulator: Sequence[str] = ()
) -> dict[str, str]:
    """Return digests by name, ``group/quantity``, that a new process computes."""
    told = python(emulator, str(Path(__file__).resolve()), "child", mode, *groups)
    return dict(line.split("\t") for line in told.splitlines())


def python(emulator: Sequence[str], *arguments: str) -> str:
    """Return what Python prints in a process that inherits no choice of kernels."""
    env = {name: value for name, value in os.environ.items() if not VARIABLES.match(name)}
    done = subprocess.run(
        [*emulator, sys.executable, *arguments], env=env | dict.fromkeys(THREADS, "1"), check=True,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return done.stdout


def print_digests(mode: str, groups: Iterable[str]) -> None:
    from plumbline.compat import kernels

    kernels.pin(mode)
    import warnings

    import torch
    from groups import digest

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for group in groups:
        for name, value in importlib.import_module(f"groups.{group}").quantities():
            print(f"{group}/{name}\t{digest(value)}", flush=True)


def processor() -> str:
    """Return vendor, model, family and model number as Linux tells them."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    fields = dict(map(str.strip, line.split(":", 1)) for line in reversed(lines) if ":" in line)
    if "model name" not in fields:
        return platform.processor() or platform.machine()
    return f"{fields['model name']} (family {fields['cpu family']}, model {fields['model']})"


def emulated(emulator: Sequence[str]) -> str:
    told = subprocess.run([emulator[0], "--version"], check=True, capture_output=True, text=True)
    version = re.search(r"version (\d+\.\d+)", told.stdout)
    model = emulator[emulator.index("-cpu") + 1] if "-cpu" in emulator else "default"
    return f"QEMU {version[1] if version else '?'} {model}"


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")


if __name__ == "__main__":
    main()
