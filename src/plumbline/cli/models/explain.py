"""The command that explains predictions of trained models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from plumbline.cli.models.commands import counted
from plumbline.cli.options import HERE, MODELS, Root, model_folder
from plumbline.errors import DataError

if TYPE_CHECKING:
    from plumbline.inference.explanations.explain import Explanation

app = typer.Typer()


@app.command(rich_help_panel=MODELS, epilog="Example: plumbline explain cnn --page explained.html")
def explain(
    model: Annotated[
        str,
        typer.Argument(help="Name in the catalogue, folder of a model, or models:/ address."),
    ],
    data: Annotated[
        Path | None,
        typer.Argument(help="Its prepared data.", show_default="beside the model"),
    ] = None,
    root: Root = HERE,
    method: Annotated[
        Literal["integrated_gradients", "grad_cam", "occlusion"] | None,
        typer.Option(
            help="How to attribute.",
            show_default="integrated_gradients; occlusion of classical models and texts",
        ),
    ] = None,
    of: Annotated[
        str | None,
        typer.Option(
            "--class", metavar="NAME", help="Explained class, or next character of a text.",
            show_default="the second of two, else the predicted one of each row",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="Table of raw rows, image, or folder of images to explain.",
            show_default="test rows",
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(help="Explain the character after this text.", show_default="test documents"),
    ] = None,
    nodes: Annotated[
        int | None,
        typer.Option(
            min=1, help="Steps from the baseline to the input, of integrated gradients.",
            show_default="200 for tables, else 64",
        ),
    ] = None,
    max_rows: Annotated[
        int, typer.Option(min=1, help="Of more test rows so many are drawn and explained.")
    ] = 10_000,
    seconds: Annotated[
        float, typer.Option(min=0, help="Stop after so many seconds with what is done.")
    ] = 60.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Parquet file for the attributions of every row.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="HTML file that shows a few rows and a summary.")
    ] = None,
) -> None:  # fmt: skip
    """Show what each feature, pixel or character contributed to the outputs of a model.

    Attributions tell what the model does, not what causes what in the world.
    """
    from plumbline import artifacts
    from plumbline.artifacts.plain_text import visible
    from plumbline.compat import torchvision

    folder = model_folder("explain", model, root)
    torchvision.install()
    from plumbline.inference.explanations.explain import explain
    from plumbline.serving import explanation_page
    from plumbline.serving.own_samples import read_samples

    explanation_page.check_files(out, page)
    data = data or _prepared(folder, root)
    samples: Any = None
    if prompt is not None:
        _check_prompt(folder, prompt)
        samples = ["prompt"], [prompt]
    elif file is not None:
        samples = read_samples(folder, file)
    with counted("explained") as progress:
        found = explain(
            folder, data, method=method, of=of, samples=samples, nodes=nodes,
            max_rows=max_rows, seconds=seconds, seed=seed, progress=progress,
        )  # fmt: skip
    rows = "test row" if samples is None else "row" if file else "text"
    counts = _counts(found, rows, seed, seconds)
    lines = [f"{counts}, {found.output}, from {found.baseline}"]
    summary = explanation_page.summary(found)
    lines += [summary.to_string(index=False, float_format="{:.4g}".format)]
    if found.gap == found.gap:  # methods without a gap have NaN
        spread = "" if found.spread != found.spread else f", standard deviation {found.spread:.3g}"
        lines += [f"largest completeness gap {found.gap:.1e}{spread}"]
    if out is not None:
        artifacts.write_table(out, found.table)
        lines += [f"{len(found.table):,} rows in {out}"]
    if page is not None:
        artifacts.write_text(page, explanation_page.render(found, folder, counts))
        lines += [f"page in {page}"]
    typer.echo(visible("\n".join(lines), keep="\n"))


def _prepared(folder: Path, root: Path) -> Path:
    """Return the prepared data beside a model, or in the work tree for one of MLflow."""
    from plumbline import names
    from plumbline.artifacts import ModelConfig
    from plumbline.artifacts.models import SIDECAR
    from plumbline.serving.interface import find_prepared

    found = find_prepared(folder)
    if found.name != SIDECAR:
        return found
    return root / names.PREPARED / ModelConfig.read(folder).dataset


def _check_prompt(folder: Path, prompt: str) -> None:
    from plumbline import names
    from plumbline.artifacts import ModelConfig

    if not prompt or ModelConfig.read(folder).kind != names.LANGUAGE:
        raise DataError(
            f"explain: prompt must be a text for a language model, got {prompt!r} for "
            f"{folder.name}; leave it out"
        )


def _counts(found: Explanation, named: str, seed: int, seconds: float) -> str:
    """Say how many rows are explained, and why not more."""
    rows = len(found.table)
    text = f"{rows} {named}{'' if rows == 1 else 's'}"
    if rows < found.of_rows:
        text = f"{rows} of {found.of_rows} {named}s, drawn with seed {seed}"
    if rows < found.wanted:
        text += f" (stopped after {seconds:g} s; more with --seconds)"
    return text
