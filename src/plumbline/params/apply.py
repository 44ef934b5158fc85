"""Apply the values of YAML files to the parameters: in memory, or in ``params.yaml`` itself."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from plumbline import params
from plumbline.artifacts import write_text, yaml_text
from plumbline.errors import ParamsError
from plumbline.params import Params, escapes
from plumbline.params.blocks import Block
from plumbline.params.policy import POLICY, Policy
from plumbline.params.studies import STUDIES

if TYPE_CHECKING:
    from ruamel.yaml import YAML

_WIDTH = 120  # of a line; a longer flow mapping is broken


def merge(base: Any, layer: Any, model: type[BaseModel] | None = None) -> Any:
    """Return ``base`` with the values of ``layer`` in place of its own; blocks go key by key.

    Parameters
    ----------
    base, layer : values of YAML
    model : type of Block, optional
        What ``base`` is. Mappings that are data, such as the groups of a table, and blocks that may
        be null are then replaced whole: what the layer does not name must not stay. Without a model
        every mapping goes key by key.
    """
    if not (isinstance(base, Mapping) and isinstance(layer, Mapping)):
        return layer
    merged = dict(base)
    for key, value in layer.items():
        own = _block(model, key)
        whole = key not in base or (model is not None and own is None)
        merged[key] = value if whole else merge(base[key], value, own)
    return merged


def _block(model: type[BaseModel] | None, key: str) -> type[BaseModel] | None:
    """Return the model of a field that is always a block, None for any other field."""
    field = model.model_fields.get(key) if model is not None else None
    found = field.annotation if field is not None else None
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def read_layer(path: Path, *, where: str) -> dict[str, Any]:
    """Return the mapping of a YAML file.

    Raises
    ------
    ParamsError
        If it cannot be read, or holds something else; ``where`` begins the message.
    """
    try:
        layer = yaml_text.parse(path.read_text(encoding="utf-8"), where, pure=True)
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError(f"{where} must be a readable YAML file, got {error}") from error
    if not isinstance(layer, dict):
        raise ParamsError(f"{where} must hold a mapping, got {type(layer).__name__}")
    return layer


def apply(target: Path, files: list[Path]) -> None:
    """Write the values of ``files``, the later over the earlier, into ``params.yaml``.

    Its comments and order stay. Nothing is written unless all parameters are then valid.

    Raises
    ------
    ParamsError
        If a file cannot be read or a parameter breaks a rule.
    """
    params.load(target)
    text = _editor()
    with target.open(encoding="utf-8") as stream:
        document = text.load(stream)
    for file in files:
        read_layer(file, where=f"params apply: {file.name}")
        with file.open(encoding="utf-8") as stream:  # as it is written: "yes" keeps its quotes
            _put(document, _quoted(text.load(stream)), Params)
    written = io.StringIO()
    text.dump(document, written)
    params.check(yaml_text.parse(written.getvalue(), target.name))
    write_text(target, written.getvalue())


def load_sized(root: Path, lab: str, size: str) -> Block:
    """Read and check the parameters of a laboratory at a size.

    Parameters
    ----------
    root : Path
    lab : str
    size : str
        ``default``, or the name of a file beside the laboratory's ``params.yaml`` whose values
        replace some of it: ``quick``, ``full``.

    Raises
    ------
    ParamsError
        If a file is missing or a parameter breaks a rule.
    """
    if lab not in STUDIES or size == "default":
        found = params.load_study(root, lab)
        assert found is not None  # of a laboratory
        return found
    where = f"studies/{lab}/{size}.yaml"
    base = params.read_yaml(
        root / f"studies/{lab}/{params.PARAMS}", f"studies/{lab}/{params.PARAMS}"
    )
    layer = read_layer(root / where, where=where)
    return params.validate(STUDIES[lab], merge(base, layer, STUDIES[lab]), where)


def write_layer(root: Path, layer: Mapping[str, Any]) -> None:
    """Merge parameters into the files of a work tree; comments of changed files are lost.

    Each block goes to the file that has it: ``params.yaml``, ``policy.yaml`` or the parameters of a
    laboratory.

    Raises
    ------
    ParamsError
        If a file cannot be read, or a parameter breaks a rule; nothing is written then.
    """
    labs = {f"studies/{lab}/params.yaml": model for lab, model in STUDIES.items()}
    models: dict[str, type[Block]] = {"params.yaml": Params, POLICY: Policy, **labs}
    found = {name: params.read_yaml(root / name, name) for name in models if (root / name).exists()}
    changed = set()
    for key, value in layer.items():
        owner = next((name for name, blocks in found.items() if key in blocks), "params.yaml")
        value = escapes.changed(value, escapes.escaped)
        found[owner] = merge(found[owner], {key: value}, models[owner])
        changed.add(owner)
    for name, raw in found.items():
        params.validate(models[name], raw, name)
    for name in sorted(changed):
        written = io.StringIO()
        _editor().dump(found[name], written)
        write_text(root / name, written.getvalue())


def _put(document: Any, layer: Mapping[str, Any], model: type[BaseModel]) -> None:
    """Do in a document with comments what `merge` does."""
    for key, value in layer.items():
        own = _block(model, key)
        if own and isinstance(document.get(key), Mapping) and isinstance(value, Mapping):
            _put(document[key], value, own)
        else:
            lines = _take_lines_after(document, key)
            document[key] = value
            _put_lines_after(document, key, lines)


def _last_key(document: Any, key: Any) -> tuple[Any, Any]:
    """Return the mapping and key of the last line that a key and its block mapping have."""
    from ruamel.yaml.comments import CommentedMap

    while isinstance(value := document[key], CommentedMap) and value and not value.fa.flow_style():
        document, key = value, list(value)[-1]
    return document, key


def _take_lines_after(document: Any, key: Any) -> str:
    """Remove the lines of comment below a key, which are about the next one, and return them."""
    if key not in document:
        return ""
    document, key = _last_key(document, key)
    token = document.ca.items.get(key, [None] * 4)[2]
    if token is None:
        return ""
    own, _, lines = token.value.partition("\n")
    token.value = f"{own}\n"
    return str(lines)


def _put_lines_after(document: Any, key: Any, lines: str) -> None:
    from ruamel.yaml.error import CommentMark
    from ruamel.yaml.tokens import CommentToken

    if not lines:
        return
    document, key = _last_key(document, key)
    entry = document.ca.items.setdefault(key, [None] * 4)
    if entry[2] is None:
        entry[2] = CommentToken("\n", CommentMark(0), None)
    entry[2].value += lines


def _quoted(node: Any, *, flow: bool = False) -> Any:
    """Quote what DVC would not give back: see `escapes`, and text with a colon within braces."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import SingleQuotedScalarString

    if isinstance(node, CommentedMap | CommentedSeq):
        inside = flow or bool(node.fa.flow_style())
        places = node if isinstance(node, CommentedMap) else range(len(node))
        for place in places:
            node[place] = _quoted(node[place], flow=inside)
        return node
    if not isinstance(node, str):
        return node
    right = escapes.escaped(node)
    colon = flow and type(node) is str and ":" in node
    return SingleQuotedScalarString(right) if colon or right != node else node


def _editor() -> YAML:
    """Return a parser and printer that gives ``params.yaml`` back as it stands."""
    from ruamel.yaml import YAML
    from ruamel.yaml.representer import RoundTripRepresenter

    class Printer(RoundTripRepresenter):
        """A class of its own: what is added to ruamel's holds for all of the process, DVC too."""

    Printer.add_representer(
        type(None), lambda shown, _: shown.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    text = YAML()
    text.Representer = Printer
    text.preserve_quotes = True
    text.width = _WIDTH
    text.indent(mapping=2, sequence=4, offset=2)
    return text
