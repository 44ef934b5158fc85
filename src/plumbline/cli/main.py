"""The ``plumbline`` command, assembled from the modules of its groups of commands.

A module imports what takes time inside the function of the command that needs it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated

import typer

from plumbline.cli import audit, data, params
from plumbline.cli.models import commands as models
from plumbline.cli.models import explain, generate, monitor, registry
from plumbline.cli.options import DATA
from plumbline.cli.pipeline import commands as pipeline
from plumbline.cli.pipeline import compare, verify
from plumbline.compat import kernels, threads
from plumbline.errors import PlumblineError
from plumbline.runs import log_lines

# What these compute for a table or a model must not depend on the processor: no parameter is read.
_PORTABLE = {
    "audit", "compare", "explain", "generate", "monitor", "predict", "promote", "seeds",
    "standards",
}  # fmt: skip
_PREDICTING = {"explain", "generate", "monitor", "predict"}

app = typer.Typer(
    no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
groups = (
    pipeline.app, compare.app, models.app, explain.app, generate.app, monitor.app, audit.app,
    verify.app, registry.app,
)  # fmt: skip
for group in groups:
    app.add_typer(group)
app.add_typer(data.app, name="data", rich_help_panel=DATA)
app.add_typer(params.app, name="params", rich_help_panel=DATA)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; print an error of ours as one line."""
    log_lines.configure()
    try:
        typer.main.get_command(app).main(args=argv, prog_name="plumbline")
    except PlumblineError as error:
        logging.getLogger(__name__).error("%s", error)
        return error.exit_code
    except SystemExit as end:  # how Typer ends: 0, the code of `typer.Exit`, 2 for a usage error
        return end.code if isinstance(end.code, int) else 0
    return 0


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"plumbline {metadata.version('plumbline')}")
        raise typer.Exit


@app.callback()
def describe(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Run and verify the deep-learning pipeline, and audit decisions by group."""
    if context.invoked_subcommand in _PORTABLE:
        kernels.pin("portable")
    if context.invoked_subcommand in _PREDICTING:
        threads.choose()
