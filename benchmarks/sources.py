"""Run the whole pipeline on every source of data and tabulate what it gave.

``python benchmarks/sources.py --raw FOLDER [name …]`` runs the trials named, or all of them, each
in a clone of HEAD with the raw files of ``FOLDER/<source>/`` (those of ``plumbline data fetch``),
and writes ``docs/SOURCES.md`` from the reports of all trials run so far. A trial is two commands:
``plumbline params apply examples/<name>.yaml`` and ``plumbline repro report``. It begins where the
whole pipeline has run once on reduced parameters: the stages of the data sets that it is not about
are up to date, as they would be for a user who changes one source.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from plumbline import artifacts, catalog, names
from plumbline.cli.pipeline.summary import interval
from plumbline.reporting.rendering import Safe, table

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs/SOURCES.md"
HOME = ROOT / "build/sources"
SHARED = "shared"
NO_DATA = shutil.ignore_patterns("LICENSE*", "SOURCE*", "manifest.csv")  # what stands beside data
# Blocks of tests/reduced.yaml that make the models of a data set smaller where it is not tried ...
BLOCKS = {
    names.TABULAR: ("train_fnn",),
    names.TEXT: ("data_text", "train_rnn"),
    names.IMAGES: ("train_cnn", "train_gan"),
}
# ... and those that stay smaller: what fine-tuning gives says more of pretraining than of a source.
STAY = ("data_glyphs", "pretrain", "finetune")


@dataclass(frozen=True)
class Trial:
    """A source, the data set it stands for, and what is laid over its example to save time.

    Attributes
    ----------
    source : str
        An example's name.
    dataset : str
    raw : str, optional
        Its folder of raw files, where that has another name.
    less : mapping
        Parameters below those of the example.
    ready : callable, optional
        Makes the raw files in a clone from those of ``raw``; returns a layer that describes them.
    """

    source: str
    dataset: str
    raw: str = ""
    less: Mapping[str, Any] = field(default_factory=dict)
    ready: Callable[[Path], dict[str, Any]] | None = None


def speeches(clone: Path) -> dict[str, Any]:
    """Write Tiny Shakespeare as one JSON record a speech, and describe the file."""
    text = (clone / "data/raw/tinyshakespeare/input.txt").read_text(encoding="utf-8")
    records = [part.split(":\n", 1) for part in text.split("\n\n") if ":\n" in part]
    path = clone / "data/raw/mine/letters.jsonl"
    lines = [json.dumps({"author": who, "body": said}) for who, said in records]
    artifacts.write_text(path, "\n".join(lines) + "\n")
    return {
        "data_text": {
            "max_characters": 1_100_000,
            "file": {
                "sha256": artifacts.digest(path),
                "about": {
                    "title": "Speeches of Tiny Shakespeare",
                    "description": "One speech a record, with its speaker.",
                },
            },
        }
    }


def folder_table(clone: Path) -> dict[str, Any]:
    """Write the table of the clothes: path, class and the publisher's split, in order of paths."""
    folder = clone / "data/raw/clothing_small"
    splits = {"train": "", "validation": names.TEST}
    lines = [
        f"{path.relative_to(folder).as_posix()},{path.parent.name},{splits[path.parents[1].name]}"
        for path in sorted(folder.rglob("*.jpg"))
    ]
    artifacts.write_text(folder / "table.csv", "\n".join(["path,label,split", *lines]) + "\n")
    return {}


ABOUT = """\
Written by `python benchmarks/sources.py --raw FOLDER` from the reports of its runs. Each source is
a clone: `plumbline params apply examples/<source>.yaml`, then `plumbline repro report`, from raw
files to cards and the report page, on two cores that others used as well; it begins where the
pipeline has run on the default sources, made smaller, and the minutes are those of the stages that
a new source changes. Fine-tuning was run as well, from a pretraining made smaller, and is left out.
Figures are those of the test split, one seed, with 95 % intervals; *majority* is the accuracy of
the most frequent class; *gaps* counts the verdicts of the audit: difference / equivalent /
inconclusive / insufficient."""
FEW_STEPS = {"train_gan": {"steps": 200}}
TRIALS = (
    Trial("adult", names.TABULAR),
    Trial("german_credit", names.TABULAR),
    Trial("compas", names.TABULAR),
    Trial("credit_default", names.TABULAR),
    Trial("iris", names.TABULAR),
    Trial("breast_cancer", names.TABULAR),
    Trial("tinyshakespeare", names.TEXT),
    Trial(
        "file",
        names.TEXT,
        raw="tinyshakespeare",
        less={"train_rnn": {"optimisation": {"max_epochs": 1}}},
        ready=speeches,
    ),
    Trial("mnist_t10k", names.IMAGES, less=FEW_STEPS),
    Trial(
        "clothing_small",
        names.IMAGES,
        raw="clothing_small/short112",
        less=FEW_STEPS,
        ready=folder_table,
    ),
    Trial("faces_london", names.IMAGES, less=FEW_STEPS),
)


def parameters(file: Path, blocks: Iterable[str]) -> dict[str, Any]:
    """Return blocks of a YAML file."""
    found = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {block: found[block] for block in blocks}


def share(work: Path) -> None:
    """Run the whole pipeline once, smaller, in the clone that all trials begin from."""
    clone = work / SHARED
    call(["git", "clone", "--quiet", str(ROOT), str(clone)], work)
    call(["dvc", "cache", "dir", "--local", str(work / "cache")], clone)
    blocks = [*STAY, *(block for each in BLOCKS.values() for block in each)]
    shutil.copy(clone / "params.yaml", work)  # a trial takes its own blocks from there
    lay(clone, [parameters(clone / "tests/reduced.yaml", blocks)])
    call(["plumbline", "repro", "report"], clone)
    call(["git", "commit", "--quiet", "--all", "--message", "smaller"], clone)


def run(trial: Trial, raw: Path, work: Path) -> None:
    """Run the stages that a source changes, in a clone of the shared one, and keep the figures."""
    clone = work / trial.source
    shutil.rmtree(clone, ignore_errors=True)
    call(["git", "clone", "--quiet", str(work / SHARED), str(clone)], work)
    call(["dvc", "cache", "dir", "--local", str(work / "cache")], clone)
    call(["dvc", "checkout", "--quiet"], clone)
    name = trial.raw or trial.source
    if (raw / name).is_dir():
        place = clone / names.RAW / Path(name).parts[0]
        shutil.copytree(raw / name, place, ignore=NO_DATA)
    made = trial.ready(clone) if trial.ready else {}
    example = ROOT / f"examples/{trial.source}.yaml"
    whole = parameters(work / "params.yaml", BLOCKS[trial.dataset])
    lay(clone, [whole, example, dict(trial.less), made])
    began = time.monotonic()
    call(["plumbline", "repro", "report"], clone)
    found = figures(trial, clone, time.monotonic() - began)
    artifacts.write_json(HOME / f"{trial.source}.json", found)


def lay(clone: Path, layers: list[Path | dict[str, Any]]) -> None:
    """Lay files and mappings over the parameters of a clone, the later over the earlier."""
    files = []
    for number, layer in enumerate(layers):
        if isinstance(layer, Path):
            files.append(layer)
            continue
        files.append(clone.parent / f"{clone.name}-{number}.yaml")
        artifacts.write_text(files[-1], yaml.safe_dump(layer))
    call(["plumbline", "params", "apply", *map(str, files)], clone)


def figures(trial: Trial, clone: Path, seconds: float) -> dict[str, Any]:
    """Return rows by split and each model's main metric with its interval, from the reports."""
    folder = clone / names.PREPARED / trial.dataset
    file = "documents.parquet" if trial.dataset == names.TEXT else "table.parquet"
    splits = artifacts.read_split_table(folder, name=file)["split"].value_counts()
    models = []
    for model, dataset in ((s.name, s.dataset) for s in catalog.models().values()):
        if dataset != trial.dataset or model.startswith("finetune_"):
            continue
        report = artifacts.read_json(clone / names.METRICS_DIR / f"{model}.json")
        audit = artifacts.read_json(clone / names.AUDITS / f"{model}.json")
        cells = {report["main_metric"]: report["metrics"][report["main_metric"]]}
        if names.ACCURACY in report["metrics"]:
            cells[names.ACCURACY] = report["metrics"][names.ACCURACY]
        floor = report["reference"].get(f"majority_class/{names.ACCURACY}")
        verdicts = [gap["verdict"] for gap in audit["gaps"]]
        models.append(
            {
                "model": model,
                "figures": cells,
                "majority": floor and floor["value"],
                "verdicts": {word: verdicts.count(word) for word in names.VERDICTS},
                "card": (clone / names.CARDS / f"{model}.md").is_file(),
            }
        )
    return {
        "source": trial.source,
        "less": trial.less,
        "seconds": seconds,
        "rows": {split: int(splits.get(split, 0)) for split in names.SPLITS},
        "models": models,
    }


def page(found: list[dict[str, Any]]) -> str:
    """Return the table of all trials."""
    rows = []
    for trial in found:
        first = [
            Safe(f"[{trial['source']}](../examples/{trial['source']}.yaml)"),
            " / ".join(f"{trial['rows'][split]:,}" for split in names.SPLITS),
            f"{trial['seconds'] / 60:.1f}",
        ]
        for number, model in enumerate(trial["models"]):
            told = [f"{name} {interval(cell)}" for name, cell in model["figures"].items()]
            majority = "" if model["majority"] is None else f"{model['majority']:.3f}"
            verdicts = " / ".join(str(model["verdicts"][word]) for word in names.VERDICTS)
            head = first if number == 0 else ["", "", ""]
            rows.append([*head, model["model"], "; ".join(told), majority, verdicts])
    less = [
        f"`{trial['source']}`: `{json.dumps(trial['less'])}`" for trial in found if trial["less"]
    ]
    missing = [trial.source for trial in TRIALS if trial.source not in {t["source"] for t in found}]
    heads = ["source", "train / val / test", "minutes", "model", "test split", "majority", "gaps"]
    return "\n".join(
        [
            "# Every source through the whole pipeline",
            "",
            ABOUT,
            "",
            *([f"Less than the example, to save time: {'; '.join(less)}.", ""] if less else []),
            table(heads, rows),
            "",
            *([f"Not run in this way yet: {', '.join(missing)}.", ""] if missing else []),
        ]
    )


def call(command: list[str], folder: Path) -> None:
    """Run a command with the sources of ``folder``."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(folder / "src")}
    environment["PLUMBLINE_TRACKING"] = "off"  # nobody will look at these runs
    subprocess.run(command, cwd=folder, env=environment, check=True)


def main() -> None:
    """Run the trials asked for and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="of trials; default: all")
    parser.add_argument("--raw", type=Path, default=ROOT / names.RAW, help="folders of raw files")
    parser.add_argument("--work", type=Path, help="where clones stay, to go on from; else none do")
    parser.add_argument("--table", action="store_true", help="only write the table again")
    options = parser.parse_args()
    known = [trial.source for trial in TRIALS]
    if unknown := sorted(set(options.names) - set(known)):
        parser.error(f"trials must be among {', '.join(known)}, got {', '.join(unknown)}")
    if not options.table:
        with tempfile.TemporaryDirectory(prefix="plumbline-sources-") as scratch:
            work = options.work or Path(scratch)
            work.mkdir(parents=True, exist_ok=True)
            if not (work / SHARED).is_dir():
                share(work)
            for trial in TRIALS:
                if not options.names or trial.source in options.names:
                    run(trial, options.raw, work)
    done = [HOME / f"{name}.json" for name in known]
    text = page([artifacts.read_json(path) for path in done if path.is_file()])
    artifacts.write_text(TABLE, text)


if __name__ == "__main__":
    main()
