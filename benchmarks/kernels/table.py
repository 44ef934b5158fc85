"""Compare the files of digests and write what is equal and what differs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Record = dict[str, Any]
SAME = ("python", "libc", "versions")
HEAD = """# Digests of kernels

Written by `python benchmarks/kernels/digests.py table` from the files beside it. Each quantity of
`groups/` is computed with portable kernels (those of AVX2, chosen by `plumbline.compat.kernels`)
and with native ones, on one thread. A quantity whose digests are equal has equal bits.
"""


def read(folder: Path) -> list[Record]:
    """Return the records of a folder: real processors first, then emulated ones, by name."""
    found = [json.loads(file.read_text()) for file in folder.glob("*.json")]
    found = [record for record in found if "processor" in record]
    return sorted(found, key=lambda record: (record["emulated"], record["processor"]))


def document(records: Sequence[Record], stages: Sequence[Record] = ()) -> str:
    """Return the text of ``DIGESTS.md``."""
    parts = [HEAD, processors(records)]
    for mode in ("portable", "native"):
        parts.append(f"## {mode.capitalize()} kernels\n\n" + comparison(records, mode))
    return "\n".join(parts)


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
        shared = [name for name in first[mode] if name in record[mode]]
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
    return [name for name in one if name in other and one[name] != other[name]]


def by_group(quantities: Iterable[str]) -> str:
    groups = [name.split("/")[0] for name in quantities]
    return ", ".join(f"{groups.count(group)} {group}" for group in dict.fromkeys(groups))


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
