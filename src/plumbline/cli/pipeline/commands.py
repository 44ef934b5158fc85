"""Commands that run the pipeline, show its state and serve it to MLflow."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import Annotated, Literal

import typer

from plumbline.cli.options import HERE, MLFLOW, PIPELINE, Jobs, Root, work_tree

app = typer.Typer()
log = logging.getLogger(__name__)

PORT = 5580  # of the MLflow UI


@app.command(
    rich_help_panel=PIPELINE,
    epilog="Example: plumbline repro --force train@fnn",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    options_metavar="[OPTIONS] [ARGUMENTS OF DVC REPRO]...",
)
def repro(context: typer.Context, root: Root = HERE, jobs: Jobs = None) -> None:
    """Run the pipeline, wait for MLflow and print the table of models.

    Arguments that are not listed below go to dvc repro: names of stages, and its options.
    """
    from plumbline.stage import run_dvc

    root = work_tree("repro", root)
    # It imports DVC while this process imports what reads the parameters.
    with contextlib.closing(run_dvc.Waiting(root)) as dvc:
        from plumbline.cli.pipeline import repro

        raise typer.Exit(repro.run(root, context.args, dvc, jobs=jobs))


@app.command(rich_help_panel=PIPELINE, epilog="Example: plumbline summary")
def summary(root: Root = HERE) -> None:
    """Print the table of models: main metric, largest group gap, verdict and MLflow run."""
    from plumbline.cli.pipeline import summary

    summary.show(work_tree("summary", root))


@app.command(rich_help_panel=PIPELINE, epilog="Example: plumbline exercise E15 --quick")
def exercise(
    name: Annotated[
        str | None,
        typer.Argument(help="E1 to E18; without it, all are listed.", show_default=False),
    ] = None,
    root: Root = HERE,
    size: Annotated[
        Literal["quick", "default", "full"],
        typer.Option(help="default: by DVC, with the whole laboratory; others: in build/studies."),
    ] = "default",
    quick: Annotated[bool, typer.Option("--quick", help="The same as --size quick.")] = False,
    jobs: Jobs = None,
) -> None:
    """Run an exercise of the textbook chapter, or list what runs each, with its verdicts."""
    from plumbline.cli.pipeline import exercise

    root = work_tree("exercise", root)
    if name is None:
        exercise.list_all(root)
        return
    raise typer.Exit(exercise.run(root, name, size="quick" if quick else size, jobs=jobs))


@app.command(rich_help_panel=PIPELINE, epilog="Example: plumbline doctor --prune 90")
def doctor(
    root: Root = HERE,
    prune: Annotated[
        float | None,
        typer.Option(
            metavar="DAYS", help="Only remove run records that are older than this, in MLflow, "
            "and that no output of dvc.lock links to."
        ),
    ] = None,
) -> None:  # fmt: skip
    """Print the environment and the MLflow store, and close runs whose process has died."""
    from plumbline.cli.pipeline import doctor

    work_tree("doctor", root)
    raise typer.Exit(
        doctor.examine(root) if prune is None else doctor.prune(root, days=prune)
    )  # fmt: skip


@app.command(rich_help_panel=PIPELINE, epilog="Example: plumbline vega")
def vega(root: Root = HERE) -> None:
    """Write the JavaScript library with which the pages of dvc plots open offline.

    DVC's own pages load Vega from a network; .dvc/plots.html loads the file written here. It is
    kept out of git.
    """
    import vl_convert

    from plumbline import artifacts
    from plumbline.runs import record_files

    # A scope of its own: DVC's page declares variables beside it.
    library = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    path = work_tree("vega", root) / record_files.WORK / "vega.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    artifacts.write_text(path, f"(() => {{\n{library}\n}})();\n")
    log.info("%s", path)


@app.command(rich_help_panel=MLFLOW, epilog="Example: plumbline sync --rebuild")
def sync(
    root: Root = HERE,
    follow: Annotated[
        bool, typer.Option("--follow", help="Continue until the pipeline has ended.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Log again the runs that the store has lost.")
    ] = False,
) -> None:
    """Log the runs that MLflow does not have yet."""
    from plumbline.runs import records
    from plumbline.tracking import store
    from plumbline.tracking import sync as mlflow_sync

    home = records.main_tree(work_tree("sync", root))
    if follow:
        os.nice(5)  # stages that are still training come first
        mlflow_sync.follow(home)
        return
    outcome = mlflow_sync.sync(home, rebuild=rebuild)
    if outcome.down:
        log.error("sync: store must answer, got %s; start it and sync again", outcome.down)
        raise typer.Exit(1)
    log.info(
        "%s: %d pipelines running, %d waiting; values not taken by the store: %d",
        store.shown_address(home), outcome.live, outcome.waiting, outcome.refused,
    )  # fmt: skip
    raise typer.Exit(1 if outcome.refused else 0)


@app.command(rich_help_panel=MLFLOW, epilog="Example: plumbline ui --port 5600")
def ui(
    root: Root = HERE, port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = PORT
) -> None:
    """Serve the MLflow UI on the store of this work tree."""
    from plumbline.cli.pipeline import doctor

    raise typer.Exit(doctor.serve_ui(work_tree("ui", root), port=port))
