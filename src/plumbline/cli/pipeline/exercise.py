"""The exercises of the textbook chapter: what runs each, its numbers, figures and verdicts."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from plumbline import artifacts, names, params
from plumbline.artifacts.plain_text import visible
from plumbline.cli.pipeline import summary
from plumbline.errors import CatalogError
from plumbline.reporting.rendering import show
from plumbline.reporting.study_page import MARKS
from plumbline.runs import log_lines
from plumbline.studies import exercises
from plumbline.studies.framework import study
from plumbline.studies.framework.claims import NOT_MEASURED

BUILT = Path("build/studies")  # results of the sizes that DVC does not run
_COLOURS = {"supported": "green", "refuted": "red", "undecided": "bright_black"}


def list_all(root: Path) -> None:
    """Print every exercise: title, what runs it, and the last verdicts or main metrics."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("exercise", "run by", "last results"):
        table.add_column(heading, overflow="fold")
    studies = study.every()
    for name, each in exercises.read().items():
        own = [one for one in studies if name in one.exercises]
        results = [*_tally(root, name, own), *_metrics(root, each.stages)]
        results += [f"reports/{lab}.html" for lab in each.labs if (root / _page(lab)).exists()]
        runs = "\n".join(_runs(each, own)) or "nothing yet"
        table.add_row(f"{name} {each.title}", runs, "\n".join(results) or "–")
    _console().print(table)


def run(root: Path, name: str, *, size: str, jobs: int | None) -> int:
    """Run what belongs to an exercise, print its results and its question; return the exit code.

    Parameters
    ----------
    root : Path
    name : str
        ``E1`` to ``E18``.
    size : {'quick', 'default', 'full'}
        ``default``: by DVC, with every study of the laboratory, because claims are judged
        together. Else its studies alone, in this process; results are in ``build/studies``.
    jobs : int or None
        Stages at once.

    Raises
    ------
    CatalogError
        If there is no such exercise, or nothing that runs it.
    """
    known = exercises.read()
    if name not in known:
        raise CatalogError(f"exercise: name must be one of {', '.join(known)}, got {name!r}")
    each = known[name]
    if size != "default":  # before the modules of the studies, which may import numpy
        from plumbline.stage import process

        process.fix_environment(params.load(root / "params.yaml"))
    own = [one for one in study.every() if name in one.exercises]
    if size == "default":
        code, folders = _run_by_dvc(root, name, own, jobs=jobs), [one.folder for one in own]
        if code:
            return code
    elif own:
        folders = _run_here(root, own, size)
    else:
        _refuse_without_study(name, each, size)
    _show(root, name, own, folders)
    if size == "quick":
        _console().print("Quick: few seeds and short trainings; the default size decides.")
    return 0


def _run_by_dvc(root: Path, name: str, own: Sequence[study.Study], *, jobs: int | None) -> int:
    each = exercises.read()[name]
    labs = dict.fromkeys([*each.labs, *(one.lab for one in own)])
    words = [*(f"studies/{lab}/dvc.yaml" for lab in labs), *each.stages]
    if not words:
        _refuse_without_study(name, each, "default")
    from plumbline.cli.pipeline import repro
    from plumbline.stage import run_dvc

    with contextlib.closing(run_dvc.Waiting(root)) as dvc:
        return repro.run(root, words, dvc, jobs=jobs, results=False)


def _run_here(root: Path, own: Sequence[study.Study], size: str) -> list[Path]:
    """Run and judge studies as their stages do; return their folders."""
    from plumbline.params.apply import load_sized
    from plumbline.stage.context import derive_seed
    from plumbline.studies.framework import pages, rows

    parameters = params.load(root / "params.yaml")
    options = {one.lab: load_sized(root, one.lab, size) for one in own}
    measured, confidence = {}, 0.95
    for one in own:
        seed = derive_seed(parameters.seed, one.name)
        with log_lines.bar(one.name) as progress:
            measured[one.name] = rows.run(
                one.lab, one.name, getattr(options[one.lab], one.name), seed=seed, progress=progress
            )
        confidence = options[one.lab].claims.confidence  # type: ignore[attr-defined]
    judged = pages.judge_studies({one.name: one for one in own}, measured, confidence=confidence)
    folders = []
    for one in own:
        folder = BUILT / size / one.lab / one.name
        artifacts.write_table(root / folder / study.ROWS, measured[one.name])
        pages.write_study(one, measured[one.name], judged[one.name], (root / folder).joinpath)
        folders.append(folder)
    return folders


def _refuse_without_study(name: str, each: exercises.Exercise, size: str) -> None:
    if each.stages or each.labs:
        raise CatalogError(
            f"exercise: {name} must have a study for --size {size}, got stages of a pipeline; "
            "leave --size out"
        )
    raise CatalogError(
        f"exercise: {name} must have a study or a stage, got none yet; plumbline exercise lists "
        "the exercises that have"
    )


def _show(root: Path, name: str, own: Sequence[study.Study], folders: Sequence[Path]) -> None:
    console, each = _console(), exercises.read()[name]
    console.print(Text(f"{name}: {each.title}", style="bold"))
    for one, folder in zip(own, folders, strict=True):
        document = artifacts.read_json(root / folder / study.CLAIMS)
        console.print(Text(f"\n{one.title}: {one.question}"))
        claims = [claim for claim in document["claims"] if claim["exercise"] == name]
        console.print(_claims(c for c in claims if c["reason"] != NOT_MEASURED))
        if unmeasured := sum(claim["reason"] == NOT_MEASURED for claim in claims):
            console.print(Text(f"{unmeasured} of {len(claims)} claims: {NOT_MEASURED}"))
        drawn = sorted((root / folder / study.FIGURES).glob("*.svg"))
        for path in (root / folder / study.PAGE, *drawn):
            console.print(Text(path.relative_to(root).as_posix()))
    for line in [*_metrics(root, each.stages), *(_page(lab).as_posix() for lab in each.labs)]:
        console.print(Text(line))
    console.print(Text(f"\nQuestion: {each.question}"))


def show_lab(root: Path, lab: str) -> None:
    """Print every claim of a laboratory with its verdict, and the place of its page."""
    console = _console()
    for one in study.of_lab(lab).values():
        console.print(Text(one.title, style="bold"))
        document = artifacts.read_json(root / one.folder / study.CLAIMS)
        console.print(_claims(document["claims"]))
    console.print(Text(f"Page: {_page(lab)}"))


def _claims(claims: Iterable[Mapping[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "claim", "effect, claimed", "measured, with interval", "verdict"):
        table.add_column(heading, overflow="fold")
    for claim in claims:
        value, low, high = (show(claim[key]) for key in ("estimate", "low", "high"))
        marked = ", ".join(mark for key, mark in MARKS.items() if claim[key])
        marks = f" ({marked})" if marked else ""
        verdict = Text(claim["verdict"], style=_COLOURS[claim["verdict"]])
        table.add_row(
            claim["exercise"], Text(visible(claim["statement"] + marks)),
            f"{claim['effect']}\n{claim['claimed']}",
            f"{value} [{low}, {high}]\n{claim['seeds']} seed{'s' * (claim['seeds'] != 1)}", verdict,
        )  # fmt: skip
    return table


def _runs(each: exercises.Exercise, own: Iterable[study.Study]) -> list[str]:
    stages = [f"default pipeline: {', '.join(each.stages)}"] if each.stages else []
    labs = [f"studies/{lab}" for lab in each.labs]
    return [*(f"studies/{one.lab}: {one.name}" for one in own), *labs, *stages]


def _tally(root: Path, exercise: str, own: Iterable[study.Study]) -> list[str]:
    lines = []
    for one in own:
        path = root / one.folder / study.CLAIMS
        claims = artifacts.read_json(path)["claims"] if path.exists() else []
        found = Counter(claim["verdict"] for claim in claims if claim["exercise"] == exercise)
        told = ", ".join(f"{found[verdict]} {verdict}" for verdict in _COLOURS if found[verdict])
        lines.append(f"{one.name}: {told or 'not run'}")
    return lines


def _metrics(root: Path, stages: Iterable[str]) -> list[str]:
    models = [stage.partition("@")[2] for stage in stages if stage.startswith("evaluate@")]
    known = {row.model: row.metric for row in summary.rows(root)}
    return [f"{m}: {known[m]}".replace("\n", " ") for m in models if m in known]


def _page(lab: str) -> Path:
    return names.SITE.with_name(f"{lab}.html")


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=110, highlight=False)
