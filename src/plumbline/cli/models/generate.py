"""The command that draws samples of generators and language models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from plumbline.cli.options import HERE, MODELS, Root, model_folder

app = typer.Typer()
_PICTURES, _TEXTS = "Pictures", "Texts"
_LENGTH, _TEMPERATURE, _TOP_K = 400, 0.8, 0


@app.command(
    rich_help_panel=MODELS,
    epilog="Example: plumbline generate rnn --prompt 'The ' --temperature 0.7",
)
def generate(
    model: Annotated[
        str,
        typer.Argument(help="Name in the catalogue, folder of a model, or models:/ address."),
    ],
    root: Root = HERE,
    number: Annotated[
        int | None,
        typer.Option(
            "--number", "-n", min=1, show_default="4 pictures of each class, or 1 text",
            help="Number of samples.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**62, help="Equal seeds give equal samples.")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            show_default="pictures: samples; texts are printed",
            help="New folder for pictures; .txt or .json file for texts.",
        ),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class", metavar="NAME", rich_help_panel=_PICTURES, show_default="all, in turn",
            help="Class of the pictures; repeat it for more.",
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(rich_help_panel=_TEXTS, help="Beginning of the text.", show_default="none"),
    ] = None,
    length: Annotated[
        int | None,
        typer.Option(
            min=1, rich_help_panel=_TEXTS, show_default=str(_LENGTH),
            help="Characters after the prompt.",
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=_TEXTS, show_default=str(_TEMPERATURE),
            help="Above 0. 1 samples from the model; near 0 the likeliest character wins.",
        ),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            min=0, rich_help_panel=_TEXTS, show_default=f"{_TOP_K}, all",
            help="Draw among so many likeliest characters.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Draw pictures of a generator, or texts of a language model."""
    from plumbline import names
    from plumbline.compat import torchvision

    folder = model_folder("generate", model, root)
    torchvision.install()
    from plumbline.serving import samples

    given = {"--prompt": prompt, "--length": length, "--temperature": temperature,
             "--top-k": top_k}  # fmt: skip
    if samples.check_kind(folder) == names.GENERATOR:
        _refuse(model, "a generator of pictures", given)
        found = samples.draw_pictures(folder, classes=classes or (), number=number, seed=seed)
        _write_pictures(found, out or Path("samples"))
        return
    _refuse(model, "a language model", {"--class": classes})
    options = samples.TextOptions(
        prompt=prompt or "",
        length=_LENGTH if length is None else length,
        temperature=_TEMPERATURE if temperature is None else temperature,
        top_k=_TOP_K if top_k is None else top_k,
    )
    if out is not None:
        samples.check_text_file(out, number=number or 1)
    texts = samples.draw_texts(folder, options, number=number or 1, seed=seed)
    _give_texts(texts, out)


def _refuse(model: str, kind: str, given: dict[str, Any]) -> None:
    """Refuse options of the other kind of model."""
    from plumbline.errors import DataError

    if wrong := [name for name, value in given.items() if value is not None]:
        raise DataError(
            f"generate: options must be those of {kind}, got {', '.join(wrong)} for {model!r}; "
            "leave them out"
        )


def _write_pictures(found: Any, out: Path) -> None:
    from plumbline.artifacts.plain_text import visible
    from plumbline.serving import samples

    samples.write_pictures(found, out)
    count, kinds = len(found.classes), len(set(found.classes))
    typer.echo(
        visible(
            f"{count:,} picture{'' if count == 1 else 's'} of {kinds} "
            f"class{'' if kinds == 1 else 'es'} and {samples.SHEET} in {out}"
        )
    )


def _give_texts(texts: list[dict[str, Any]], out: Path | None) -> None:
    from plumbline import artifacts
    from plumbline.artifacts.plain_text import visible

    if out is None:
        typer.echo("\n---\n".join(visible(one["text"], keep="\n") for one in texts))
    elif out.suffix == ".json":
        artifacts.write_json(out, texts)
    else:
        artifacts.write_text(out, texts[0]["text"])
