"""Apply the values of YAML files to the parameters: in memory, or in ``params.yaml`` itself."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from plumbline import params
from plumbline.artifacts import write_text
from plumbline.errors import ParamsError
from plumbline.params.policy import POLICY, Policy
from plumbline.params.studies import STUDIES

if TYPE_CHECKING:
    from ruamel.yaml import YAML

_WIDTH = 120  # of a line; a longer flow mapping is broken


def merge(base: Any, layer: Any) -> Any:
    """Return ``base`` with the values of ``layer`` in place of its own; mappings go key by key."""
    if isinstance(base, Mapping) and isinstance(layer, Mapping):
        return {
            key: merge(base[key], layer[key]) if key in base and key in layer
            else layer.get(key, base.get(key))
            for key in [*base, *(key for key in layer if key not in base)]
        }  # fmt: skip
    return layer


def read_layer(path: Path, *, where: str) -> dict[str, Any]:
    """Return the mapping of a YAML file.

    Raises
    ------
    ParamsError
        If it cannot be read, or holds something else; ``where`` begins the message.
    """
    try:
        layer = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
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
            _put(document, _with_quotes(text.load(stream)))
    written = io.StringIO()
    text.dump(document, written)
    params.check(yaml.safe_load(written.getvalue()))
    write_text(target, written.getvalue())


def write_layer(root: Path, layer: Mapping[str, Any]) -> None:
    """Merge parameters into the files of a work tree; comments of changed files are lost.

    Each block goes to the file that has it: ``params.yaml``, ``policy.yaml`` or the parameters of a
    laboratory.

    Raises
    ------
    ParamsError
        If a file cannot be read, or a parameter breaks a rule; nothing is written then.
    """
    labs = {lab: root / f"studies/{lab}/params.yaml" for lab in STUDIES}
    paths = [root / "params.yaml", root / POLICY, *labs.values()]
    found = {path: params.read_yaml(path, path.name) for path in paths if path.exists()}
    changed = {}
    for key, value in layer.items():
        owner = next((path for path, blocks in found.items() if key in blocks), paths[0])
        found[owner] = changed[owner] = merge(found[owner], {key: value})
    params.check(found[paths[0]])
    for path, raw in found.items():
        if path == root / POLICY:
            params.validate(Policy, raw, POLICY)
        for lab, own in labs.items():
            if path == own:
                params.validate(STUDIES[lab], raw, f"studies/{lab}/params.yaml")
    for path, raw in changed.items():
        write_text(path, yaml.safe_dump(raw, sort_keys=False, allow_unicode=True))


def _put(document: Any, layer: Mapping[str, Any]) -> None:
    for key, value in layer.items():
        if isinstance(document.get(key), Mapping) and isinstance(value, Mapping):
            _put(document[key], value)
        else:
            document[key] = value


def _with_quotes(node: Any, *, flow: bool = False) -> Any:
    """Quote text with a colon within braces, such as an address: DVC's reader takes no other."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(node, CommentedMap | CommentedSeq):
        inside = flow or bool(node.fa.flow_style())
        places = node if isinstance(node, CommentedMap) else range(len(node))
        for place in places:
            node[place] = _with_quotes(node[place], flow=inside)
        return node
    return DoubleQuotedScalarString(node) if flow and type(node) is str and ":" in node else node


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
