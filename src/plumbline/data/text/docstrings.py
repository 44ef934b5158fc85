"""Public docstrings of an installed package, read from its sources without importing it."""

from __future__ import annotations

import ast
import importlib.util
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plumbline.errors import DataError

SKIPPED_FOLDERS = frozenset({"tests", "externals", "_build_utils", "__pycache__"})


@dataclass(frozen=True)
class Document:
    """The docstring of one public module, class or function.

    Methods are excluded: docstrings of ``fit`` or ``predict`` recur almost word for word in every
    class, so that they would leak between splits.

    ``name`` is the dotted path of the object where it is defined, ``group`` the first part of
    that path below the package.
    """

    name: str
    group: str
    text: str


def read_docstrings(package: str) -> list[Document]:
    """Return the docstrings of a package in the order of their names.

    Raises
    ------
    DataError
        If the package is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"text: package {package!r} must be installed, got none of this name")
    root = Path(next(iter(spec.submodule_search_locations)))
    objects = sorted(entry for file in _source_files(root) for entry in _objects(file, root))
    return [
        Document(".".join((package, *path)), path[0] if path else package, text)
        for path, text in objects
    ]


def _source_files(root: Path) -> Iterator[Path]:
    for path in root.rglob("*.py"):
        folders = path.relative_to(root).parts[:-1]
        if not SKIPPED_FOLDERS.intersection(folders) and path.name != "conftest.py":
            yield path


def _objects(path: Path, root: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    parts = path.relative_to(root).with_suffix("").parts
    module = tuple(part for part in parts if part != "__init__")
    with warnings.catch_warnings():
        # Ignore invalid escapes in its strings; Python 3.12 changed their category.
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        tree = ast.parse(path.read_text(encoding="utf-8"))
    if text := _docstring(tree):
        yield module, text
    for node in tree.body:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef)) or node.name.startswith("_"):
            continue
        if text := _docstring(node):
            yield (*module, node.name), text


def _docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> str:
    return (ast.get_docstring(node, clean=True) or "").strip()
