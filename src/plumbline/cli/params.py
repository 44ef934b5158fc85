"""Commands that check and change ``params.yaml``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from plumbline.cli.options import HERE, Root

app = typer.Typer(
    no_args_is_help=True, help="Check or change params.yaml.",
    epilog="Example: plumbline params apply examples/adult.yaml",
)  # fmt: skip


@app.command(epilog="Example: plumbline params check")
def check(root: Root = HERE) -> None:
    """Check every parameter and list all faults at once."""
    from plumbline import params

    params.load(root / "params.yaml")
    logging.getLogger(__name__).info("params.yaml: all parameters are valid")


@app.command(epilog="Example: plumbline params apply examples/adult.yaml")
def apply(
    files: Annotated[list[Path], typer.Argument(help="YAML files such as those of examples/.")],
    root: Root = HERE,
) -> None:
    """Write the values of files into params.yaml, whose comments stay."""
    from plumbline.params import apply

    apply.apply(root / "params.yaml", files)
