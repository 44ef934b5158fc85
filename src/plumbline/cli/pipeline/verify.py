"""Commands that check results: clean clones, lineage, and the first difference of two runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from plumbline.artifacts.plain_text import visible
from plumbline.cli.options import HERE, PROOF, Jobs, Root

app = typer.Typer()
verify = typer.Typer(
    invoke_without_command=True,
    epilog="Example: plumbline verify --clones 2 --params tests/reduced.yaml",
)
app.add_typer(verify, name="verify", rich_help_panel=PROOF)


@verify.callback()
def reproduce(
    context: typer.Context,
    root: Root = HERE,
    params: Annotated[
        list[Path] | None,
        typer.Option(help="YAML file applied to the parameters in both clones; repeatable."),
    ] = None,
    clones: Annotated[
        int, typer.Option(min=1, max=2, help="One is compared with dvc.lock, two with each other.")
    ] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the clones for inspection.")] = False,
    jobs: Jobs = None,
) -> None:
    """Run the pipeline in clean clones and compare every output."""
    if context.invoked_subcommand:
        context.default_map = {context.invoked_subcommand: {"root": root}}
        return
    from plumbline.verify import reproduce

    raise typer.Exit(
        reproduce.run(root, overlays=params or (), clones=clones, keep=keep, jobs=jobs)
    )


@verify.command(epilog="Example: plumbline verify lineage --format json")
def lineage(
    root: Root = HERE,
    form: Annotated[
        Literal["table", "json"], typer.Option("--format", help="How findings are printed.")
    ] = "table",
) -> None:
    """Check every link between dvc.lock, files, MLflow runs and run records; run nothing."""
    from plumbline.verify import lineage

    raise typer.Exit(lineage.run(root, form=form))


@verify.command(epilog="Example: plumbline verify cards reports/cards/fnn.md")
def cards(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Cards or pages; without any, all of them.")
    ] = None,
    root: Root = HERE,
) -> None:
    """Compare each number of the model cards and of the report page with its file."""
    from plumbline.reporting.cards.check import check_cards

    total, faults = check_cards(root, files or ())
    for fault in faults:
        typer.echo(visible(fault), err=True)
    typer.echo(f"{total} numbers compared, {len(faults)} differ from their file")
    if faults or not total:
        raise typer.Exit(1)


_RUN = "Run key or its beginning, run record, trace file, work tree, or MLflow run id."


@app.command(
    rich_help_panel=PROOF, epilog="Example: plumbline diff-runs . ../clone --stage train@fnn"
)
def diff_runs(
    first: Annotated[str, typer.Argument(help=_RUN)],
    second: Annotated[str, typer.Argument(help=_RUN)],
    root: Root = HERE,
    stage: Annotated[
        str | None, typer.Option(help="Stage to compare, where a run is given as a work tree.")
    ] = None,
    form: Annotated[
        Literal["text", "json"], typer.Option("--format", help="How the difference is printed.")
    ] = "text",
) -> None:
    """Find the first step at which two traced runs diverge."""
    from plumbline.verify import diff_runs

    raise typer.Exit(diff_runs.run(root, (first, second), stage=stage, form=form))
