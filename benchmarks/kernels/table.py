"""Compare the files of digests and write what is equal and what differs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Record = dict[str, Any]
HEAD = """# Digests of kernels

Written by `python benchmarks/kernels/digests.py table` from the files beside it. Each quantity of
`groups/` is computed with portable kernels (those of AVX2, chosen by `plumbline.compat.kernels`)
and with native ones, on one thread. A quantity whose digests are equal has equal bits.
"""

LISTED = """\
With `MKL_CBWR=COMPATIBLE` some functions of MKL begin with RCPPS or RSQRTPS, which approximate 1/x
and 1/√x in another way on the processors of each vendor, and do not round their results correctly:
roots, logarithms to base 2 and 10, arctangents, arcsines and arccosines of tensors, and in double
precision natural logarithms and tangents. They were found by the instructions that an emulator
executed. No variable chooses others, so the library does not use them: it takes roots as
`x.rsqrt().reciprocal()` or by NumPy, and logarithms by NumPy.
"""
STAGES = """\
Default pipeline with parameters below those of `tests/reduced.yaml`; each stage reads what the
stages before it wrote on the same processor. Outputs are compared by the hashes that DVC takes.

"""

# With MKL_CBWR=COMPATIBLE these functions of MKL begin with RCPPS or RSQRTPS, which approximate 1/x
# and 1/√x in another way on each vendor's processors, and do not round their results correctly. No
# variable chooses others; nothing that the library stores depends on one of them.
APPROXIMATE = frozenset(
    "networks/torch." + name
    for name in (
        *(f"{name}.{bits}" for name in ("sqrt", "atan", "asin", "acos", "log2", "log10")
          for bits in (32, 64)),
        "log.64", "tan.64", "logsumexp.64",
        "adam plain", "adamw plain",  # their updates take torch.sqrt; fused ones do not
    )
)  # fmt: skip


def read(folder: Path) -> list[Record]:
    """Return the records of a folder: real processors first, then emulated ones, by name."""
    found = [json.loads(file.read_text()) for file in folder.glob("*.json")]
    found = [record for record in found if "processor" in record]
    return sorted(found, key=lambda record: (record["emulated"], record["processor"]))


def stages(folder: Path) -> list[Record]:
    """Return what processors wrote as outputs of stages, real processors first."""
    found = [json.loads(file.read_text()) for file in (folder / "stages").glob("*.json")]
    return sorted(found, key=lambda record: (record["emulated"], record["name"]))


def document(records: Sequence[Record], outputs: Sequence[Record] = ()) -> str:
    """Return the text of ``DIGESTS.md``."""
    parts = [HEAD, processors(records)]
    for mode in ("portable", "native"):
        parts.append(f"## {mode.capitalize()} kernels\n\n" + comparison(records, mode))
        if mode == "portable":
            parts.append(approximate(records))
    if outputs:
        parts.append("## Stages, with portable kernels\n\n" + STAGES + compared_stages(outputs))
    return "\n".join(parts)


def approximate(records: Sequence[Record]) -> str:
    """Tell which functions are not compared, and which of them differ somewhere."""
    first, *others = [record for record in records if record.get("portable")]
    apart = {
        name
        for record in others
        for name in APPROXIMATE & record["portable"].keys()
        if record["portable"][name] != first["portable"].get(name)
    }
    listed = ", ".join(f"`{name}`" for name in sorted(APPROXIMATE))
    differ = ", ".join(f"`{name}`" for name in sorted(apart)) or "none"
    return f"{LISTED}\nNot compared: {listed}. Different here: {differ}.\n"


def compared_stages(outputs: Sequence[Record]) -> str:
    """Return how many outputs of stages are equal on each processor and the first one."""
    first, *others = outputs
    rows = [(first["name"], str(len(first["stages"])), "", "")]
    for record in others:
        shared = [name for name in record["stages"] if name in first["stages"]]
        pairs = [
            (out, value == first["stages"][name][out])
            for name in shared
            for out, value in record["stages"][name].items()
        ]
        apart = [f"`{out}`" for out, same in pairs if not same]
        equal = f"{len(pairs) - len(apart)} of {len(pairs)}"
        rows.append((record["name"], ", ".join(shared), equal, ", ".join(apart) or "none"))
    return grid(("processor", "stages", "equal outputs", "different"), rows)


def processors(records: Sequence[Record]) -> str:
    rows = [
        (
            record["processor"],
            "emulated" if record["emulated"] else "real",
            widest(record["instructions"]),
            record["libc"] or "not recorded",
            *(str(len(record.get(mode, {}))) for mode in ("portable", "native")),
        )
        for record in records
    ]
    head = ("processor", "", "widest instructions", "C library", "portable", "native")
    return "## Processors\n\n" + grid(head, rows) + versions(records)


def versions(records: Sequence[Record]) -> str:
    found = {
        f"Python {record['python']}, "
        + ", ".join(f"{name} {value}" for name, value in record["versions"].items())
        for record in records
        if record["versions"]
    }
    return "".join(f"\n{text}.\n" for text in sorted(found))


def widest(instructions: Sequence[str]) -> str:
    """Name the sets that matter to kernels, of those that a processor has."""
    named = ("AVX2", "FMA3", "AVX512F", "AVX512VNNI", "AVX512BF16", "AMX")
    return ", ".join(name for name in named if name in instructions) or "none above SSE"


def comparison(records: Sequence[Record], mode: str) -> str:
    """Return how many digests of each processor equal those of the first one, and which do not."""
    having = [record for record in records if record.get(mode)]
    first, *others = having
    rows, lists = [], []
    for record in others:
        shared = [name for name in first[mode] if name in record[mode].keys() - APPROXIMATE]
        differ = differences(first[mode], record[mode])
        rows.append((record["processor"], str(len(shared)), str(len(shared) - len(differ)),
                     by_group(differ) or "none"))  # fmt: skip
        if differ and (mode == "portable" or len(differ) < len(shared) / 2):
            names = ", ".join(f"`{name}`" for name in differ)
            lists.append(f"\n{record['processor']}: {names}.\n")
    head = (f"compared with {first['processor']}", "quantities", "equal", "different")
    return grid(head, rows) + "".join(lists)


def differences(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Name the quantities of both whose digests are not equal."""
    shared = one.keys() & other.keys()
    return [name for name in one if name in shared - APPROXIMATE and one[name] != other[name]]


def by_group(quantities: Iterable[str]) -> str:
    groups = [name.split("/")[0] for name in quantities]
    return ", ".join(f"{groups.count(group)} {group}" for group in dict.fromkeys(groups))


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
