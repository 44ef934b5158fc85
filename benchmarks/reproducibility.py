"""Fit every network, at a reduced size, under what two equal runs may differ in; compare the bits.

``python benchmarks/reproducibility.py`` writes ``benchmarks/REPRODUCIBILITY.md``. Each variation is
a fresh process that fits all networks, so that imports are paid for once. What comes out is held
against the classes declared in `plumbline.verify.tolerances.KINDS`.
"""

from __future__ import annotations

import argparse
import locale
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from plumbline import artifacts, catalog, names, params
from plumbline.compat import kernels
from plumbline.params.apply import merge
from plumbline.runs import provenance
from plumbline.verify import tolerances

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "benchmarks/REPRODUCIBILITY.md"
BASELINE = "baseline"
NETWORKS = [model for model in catalog.models() if model not in ("baseline", "ngram")]


@dataclass(frozen=True)
class Variation:
    """What differs from the baseline: variables, threads, kernels, working directory."""

    name: str
    variables: dict[str, str] = field(default_factory=dict)
    threads: int = 1
    kernels: kernels.Choice = "portable"
    folder: str = "work"


def variations() -> list[Variation]:
    """Return the baseline and what is tried against it; locales as far as they are installed."""
    done = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False)
    installed = done.stdout.split()
    comma = [name for name in installed if name.startswith(("de_", "fr_", "es_"))]
    locales = [name for name in ("C", "C.utf8", *comma[:1]) if name in installed]
    return [
        Variation(BASELINE),
        Variation("the same once more"),
        Variation("two threads", threads=2),
        Variation("native kernels", kernels="native"),
        Variation("ATEN_CPU_CAPABILITY=default", {"ATEN_CPU_CAPABILITY": "default"}),
        Variation("PYTHONHASHSEED=7", {"PYTHONHASHSEED": "7"}),
        Variation("TZ=Asia/Kathmandu", {"TZ": "Asia/Kathmandu"}),
        *(Variation(f"LC_ALL={name}", {"LC_ALL": name}) for name in locales),
        Variation("another working directory", folder="else where/ü"),
    ]


def reduced() -> params.Params:
    """Return ``params.yaml`` with the values of ``tests/reduced.yaml`` for its blocks."""
    base, layer = (
        yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
        for path in ("params.yaml", "tests/reduced.yaml")
    )
    return params.check(merge(base, {key: layer[key] for key in layer if key in base}))


def prepare(folder: Path) -> None:
    """Write the prepared data that all variations read."""
    settings = reduced()
    for spec in catalog.datasets().values():
        block = getattr(settings, spec.params)
        catalog.load(spec.prepare)(block, seed=settings.seed).write(folder / spec.name)


def fit_all(data: Path, *, threads: int, choice: kernels.Choice) -> None:
    """Fit every network below the working directory, under the names the pipeline gives."""
    kernels.pin(choice)
    from plumbline.runs.fit_context import FitContext

    locale.setlocale(locale.LC_ALL, "")  # Python alone reads LC_CTYPE and no more
    settings = reduced()
    trainer = settings.trainer.model_copy(update={"threads": threads})
    for spec in (catalog.model(name) for name in NETWORKS):
        context = FitContext(
            stage=spec.name, work=Path("scratch") / spec.name / "fit", seed=7, trainer=trainer
        )
        fitted = catalog.load(spec.fit)(
            getattr(settings, spec.params), data=data / spec.dataset, context=context,
            **spec.options,
        )  # fmt: skip
        fitted.history.write(names.HISTORY_DIR / f"{spec.name}.csv")
        fitted.save(names.MODEL_DIR / spec.name)


def run(variation: Variation, base: Path) -> Path:
    """Fit all networks in a fresh process; return the folder that holds what came out.

    Variations that differ in other things have the same working directory: it is emptied between
    them by renaming.
    """
    place = base / variation.folder
    place.mkdir(parents=True)
    number = {"OMP_NUM_THREADS": str(variation.threads), "MKL_NUM_THREADS": str(variation.threads)}
    command = [sys.executable, __file__, "--fit", str(base / "data")]
    subprocess.run(
        [*command, "--threads", str(variation.threads), "--kernels", variation.kernels],
        cwd=place, env={**os.environ, **number, **variation.variables}, check=True,
    )  # fmt: skip
    kept = base / "kept" / variation.name.replace("/", "-")
    kept.parent.mkdir(exist_ok=True)
    return place.rename(kept)


def judge(model: str, expected: Path, got: Path) -> tuple[str, str]:
    """Return the class of one model's outputs, weights and training curve, and a remark."""
    folder, curve = names.MODEL_DIR / model, names.HISTORY_DIR / f"{model}.csv"
    weights, curves = (
        artifacts.digest(expected / path) == artifacts.digest(got / path)
        for path in (folder, curve)
    )
    if weights and curves:
        return tolerances.BITWISE, ""
    kind = tolerances.kind_of(curve.as_posix())
    assert kind is not None
    assert kind.elsewhere is not None
    if apart := tolerances.difference(expected / curve, got / curve, kind.elsewhere):
        return tolerances.BROKEN, apart
    old, new = (dict(tolerances.numbers(folder / curve)) for folder in (expected, got))
    largest, name = max((abs(new[n] - old[n]), n) for n in old if not math.isnan(old[n]))
    return tolerances.WITHIN, f"{name} by {largest:.1g}" if largest else "weights alone"


def workers() -> list[tuple[int, bool]]:
    """Return, by number of loader processes, whether every batch of two epochs has the same bits.

    The pipeline's loaders have none: they give out batches of tensors in memory. What would have to
    hold with some does: order is a function of seed and epoch, augmentation of these and the
    sample, so that it does not matter which process makes a batch.
    """
    import torch
    from torch.utils.data import DataLoader, Dataset

    from plumbline.training.engine.augment import RandomAffine
    from plumbline.training.engine.loaders import MemoryBatches

    images = torch.arange(50 * 64, dtype=torch.int64).remainder(251).byte().reshape(50, 1, 8, 8)
    change = RandomAffine(shift=1.0, rotate=10.0, scale=0.1, mirror=False, seed=3)

    def batches(epoch: int) -> MemoryBatches:
        loader = MemoryBatches(
            images, torch.arange(50), batch_size=8, shuffle=True, seed=3, transform=change
        )
        loader.set_epoch(epoch)
        return loader

    class ByIndex(Dataset[Any]):
        """The batches of an epoch by their number, as a loader's processes ask for them."""

        def __init__(self, epoch: int) -> None:
            self.loader = batches(epoch)

        def __len__(self) -> int:
            return len(self.loader)

        def __getitem__(self, index: int) -> Any:
            return next(islice(iter(self.loader), index, None))

    def same(epoch: int, count: int) -> bool:
        loader = DataLoader(ByIndex(epoch), batch_size=None, num_workers=count)
        pairs = zip(batches(epoch), loader, strict=True)
        return all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in pairs)

    return [(count, all(same(epoch, count) for epoch in (0, 1))) for count in (0, 2)]


def report(rows: dict[str, dict[str, tuple[str, str]]], loaders: list[tuple[int, bool]]) -> str:
    """Return the page: classes as declared, and what was seen."""
    here = provenance.environment(ROOT, reduced().trainer)
    packages = ", ".join(f"{name} {version}" for name, version in here["packages"].items())
    lines = [
        "# What is the same, and what is not",
        "",
        "Written by `python benchmarks/reproducibility.py`. Every network is fitted at the size of",
        "`tests/reduced.yaml`, each row in a fresh process, and compared with a first such one:",
        "weights and training curve bit by bit, then the curve within the tolerance",
        "declared for them.",
        "",
        f"{kernels.processor().model}, {here['kernels']} kernels.",
        f"Python {here['python']}, {packages}.",
        "",
        f"| what differs | {' | '.join(NETWORKS)} |",
        f"|---|{'---|' * len(NETWORKS)}",
    ]
    for name, cells in rows.items():
        shown = [f"{verdict}{f': {note}' if note else ''}" for verdict, note in cells.values()]
        lines.append(f"| {name} | {' | '.join(shown)} |")
    equal = {True: "equal bit for bit", False: "different"}
    lines += [
        "",
        "The loaders work in process and have no workers. Wrapped in a torch `DataLoader`, all",
        "batches of two epochs, shuffled and augmented, are "
        + ", ".join(f"{equal[same]} with {count} workers" for count, same in loaders)
        + ".",
        "",
        "## The classes",
        "",
        "Declared in `plumbline.verify.tolerances.KINDS`; `plumbline verify` compares by them.",
        "",
        "| files | what | same kernels, packages and threads | elsewhere |",
        "|---|---|---|---|",
        *(
            f"| `{kind.pattern}` | {kind.what} | bitwise | "
            f"{f'within {kind.elsewhere}' if kind.elsewhere else 'not compared'} |"
            for kind in tolerances.KINDS
        ),
    ]
    return "\n".join(lines) + "\n"


def examine(chosen: list[Variation]) -> dict[str, dict[str, tuple[str, str]]]:
    """Run the baseline and the chosen variations; return class and remark by name and model."""
    with tempfile.TemporaryDirectory(prefix="plumbline-reproducibility-") as scratch:
        base = Path(scratch)
        prepare(base / "data")
        expected = run(Variation(BASELINE), base)
        found = {}
        for variation in chosen:
            got = run(variation, base)
            found[variation.name] = {model: judge(model, expected, got) for model in NETWORKS}
            print(variation.name, found[variation.name], flush=True)
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fit", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--kernels", default="portable", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fit:
        fit_all(arguments.fit, threads=arguments.threads, choice=arguments.kernels)
        return 0
    rows = examine(variations()[1:])
    loaders = workers()
    artifacts.write_text(REPORT, report(rows, loaders))
    seen = [verdict for cells in rows.values() for verdict, _ in cells.values()]
    return int(tolerances.BROKEN in seen or not all(same for _, same in loaders))


if __name__ == "__main__":
    sys.exit(main())
