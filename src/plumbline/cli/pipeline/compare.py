"""The command that compares the results of two versions."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from plumbline.cli.options import HERE, PIPELINE, Root, work_tree

app = typer.Typer()
_VERSION = "Git revision, DVC experiment, id of an MLflow model or pipeline run, or workspace."


@app.command(rich_help_panel=PIPELINE, epilog="Example: plumbline compare HEAD wide --format md")
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help=_VERSION)],
    b: Annotated[str, typer.Argument(metavar="B", help="The version compared with it.")],
    root: Root = HERE,
    form: Annotated[
        Literal["table", "md", "json"],
        typer.Option("--format", help="How it is printed; md is Markdown for a pull request."),
    ] = "table",
) -> None:
    """Compare the results of two versions: parameters, paired metrics, gaps and the gate.

    A difference whose interval holds 0 is called within noise.
    """
    from plumbline.verify.versions import show

    raise typer.Exit(show.run(work_tree("compare", root), (a, b), form=form))
