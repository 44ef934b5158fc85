"""Commands of the model registry: register a model, promote it, bring the one before back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.options import HERE, MLFLOW, Root, work_tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from plumbline.tracking.registry.register import Registered
    from plumbline.verify.versions.promotion import Decision

app = typer.Typer()
log = logging.getLogger(__name__)
_SHOWN = 8  # gaps in the table


@app.command(rich_help_panel=MLFLOW, epilog="Example: plumbline register fnn")
def register(
    model: Annotated[str, typer.Argument(help="Name in the catalogue.")],
    root: Root = HERE,
    name: Annotated[
        str, typer.Option(help="Of the registered model; by default that of the model.")
    ] = "",
) -> None:
    """Register the model of dvc.lock as candidate, if it passes the gate.

    Its card and audit are attached. The same model is not registered twice.
    """
    from plumbline.tracking.registry.register import register

    show_registered(register(work_tree("register", root), model, name=name))


@app.command(rich_help_panel=MLFLOW, epilog="Example: plumbline promote fnn")
def promote(
    model: Annotated[str, typer.Argument(help="Name of the registered model.")],
    root: Root = HERE,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Make the champion before the present one champion.")
    ] = False,
) -> None:
    """Make the candidate the champion, unless it is shown to be worse or a group gap grows.

    Both are compared on the same test rows. Exit code 1: the candidate is refused.
    """
    from plumbline.verify.versions import champions

    tree = work_tree("promote", root)
    if rollback:
        before, now = champions.roll_back(tree, model)
        typer.echo(f"{model}: version {now} is champion again, after version {before}")
        return
    outcome = champions.promote(tree, model)
    show_decision(outcome.decision)
    head = f"{model}: version {outcome.candidate}"
    if outcome.decision.is_promoted:
        over = f" after version {outcome.champion}" if outcome.champion else ""
        typer.echo(f"{head} is champion{over}: {outcome.decision.sentence()}")
        return
    typer.echo(
        f"{head} is not promoted, version {outcome.champion} stays champion: "
        f"{outcome.decision.sentence()}"
    )
    raise typer.Exit(1)


def show_registered(made: Registered) -> None:
    """Print a version and what it is."""
    from plumbline.artifacts.plain_text import visible

    what = f"{made.name}: version {made.version}"
    if made.is_new:
        typer.echo(f"{what} is registered as {made.alias}, models:/{made.name}@{made.alias}")
    else:
        typer.echo(f"{what} has this model already and is {made.alias}; no version was made")
    shown = ("main metric", "largest gap", "verdict", "gate")
    typer.echo(visible("; ".join(f"{key}: {made.tags[key]}" for key in shown)))


def register_covered(root: Path, models: Iterable[str], covered: Collection[str]) -> int:
    """Register models at the end of a run; return the exit code of the last that is refused, or 0.

    Parameters
    ----------
    root : Path
    models : iterable of str
        Names in the catalogue.
    covered : collection of str
        Stages that the run covered: a model whose card is none of their outputs is left out.
    """
    from plumbline import names
    from plumbline.errors import PlumblineError
    from plumbline.runs import dvc_files
    from plumbline.tracking.registry.register import register

    stages = dvc_files.stages(root).values()
    made = {out for spec in stages if spec.name in covered for out in spec.outs}
    code = 0
    for model in models:
        if (names.CARDS / f"{model}.md").as_posix() not in made:
            log.info("repro: %s is not registered, its card is not part of this run", model)
            continue
        try:
            show_registered(register(root, model))
        except PlumblineError as error:
            log.error("%s", error)
            code = error.exit_code
    return code


def show_decision(decision: Decision) -> None:
    """Print the difference of the main metric and the gaps that grew most."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from plumbline.artifacts.plain_text import visible
    from plumbline.verify.versions import promotion

    if decision.main is None:
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)

    def show(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for heading in headings:
            table.add_column(Text(heading), overflow="fold")
        for row in rows:
            table.add_row(*(Text(visible(cell)) for cell in row))
        console.print(table)

    main = decision.main
    head = ("metric", "champion", "candidate", "difference", "verdict")
    values = (f"{main[side]:.4g}" for side in ("a", "b"))
    show(head, [(main["quantity"], *values, promotion.difference(main), main["verdict"])])
    shown = decision.growths[:_SHOWN]
    if shown:
        show(
            ("group gap", "champion", "candidate", "growth", "margin", "verdict"),
            [(one.name, f"{one.before:.3g}", f"{one.after:.3g}", promotion.growth_text(one),
              f"{one.margin:g}", one.verdict) for one in shown],
        )  # fmt: skip
    if len(decision.growths) > len(shown):
        console.print(f"{len(decision.growths) - len(shown)} gaps that grew less are not listed.")
    if decision.left_out:
        console.print(f"{len(decision.left_out)} gaps are insufficient and were not compared.")
