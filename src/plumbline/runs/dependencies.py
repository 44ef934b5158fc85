"""The library files that a stage can import, compared with the dependencies that it declares.

A dependency is a file or a folder below ``src/plumbline``. Packages whose ``__init__`` (modules:
whose own text) sets ``INFRASTRUCTURE = True`` run, record and check stages but never decide what a
stage computes: no stage lists them. Files that hold a docstring alone need not be listed either.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from pathlib import Path

from plumbline.runs import dvc_files

PACKAGE = "plumbline"
_SOURCES = Path("src") / PACKAGE
_HERE = Path(__file__).resolve().parents[1]


def unlisted(
    spec: dvc_files.StageSpec, modules: Iterable[str], *, script: Path, package: Path = _HERE
) -> list[str]:
    """Return the library files that a stage imported and does not list, as paths from the root.

    DVC would not run the stage again when they change. A file that infrastructure alone imports,
    itself or by other files, counts as not imported. Nothing is returned for a stage that lists no
    library file at all.

    Parameters
    ----------
    spec : StageSpec
    modules : iterable of str
        Dotted names of what was imported, as in ``sys.modules``.
    script : Path
        Script of the stage.
    package : Path
        Folder of the library.
    """
    if not any(Path(dep).is_relative_to(_SOURCES) for dep in spec.deps):
        return []
    files = {file for name in modules for file in _files_of(name, package)}
    missing = uncovered(spec.deps, files, package=package)
    if not missing:
        return []
    imported = {file for importer in [script, *files] for file in imports(importer, package)}
    # A module that no import names was loaded by its address: see the catalogue.
    todo = [script, *(file for file in files if file not in imported)]
    reached: set[Path] = set()
    while todo:
        path = todo.pop()
        reached.add(path)
        if not is_infrastructure(path, package):
            todo += imports(path, package) & files - reached
    return [
        (_SOURCES / file.relative_to(package)).as_posix() for file in missing if file in reached
    ]


def uncovered(deps: Iterable[str], files: Iterable[Path], *, package: Path = _HERE) -> list[Path]:
    """Return, sorted, the library files that no dependency covers though they can decide a result.

    Parameters
    ----------
    deps : iterable of str
        Paths from the repository root.
    files : iterable of Path
        Files below the folder ``package`` of the library.
    """
    listed = [package / Path(dep).relative_to(_SOURCES) for dep in deps if _is_library(dep)]
    return sorted(
        file
        for file in files
        if not any(file == dep or dep in file.parents for dep in listed)
        and not is_infrastructure(file, package)
        and _has_code(file)
    )


def library_closure(*starts: Path | str, package: Path = _HERE) -> set[Path]:
    """Return the library files that scripts or modules can import, at any depth.

    Imports inside functions count, those for type checking alone do not. What infrastructure
    imports does not count. The files of the library among ``starts`` are included.

    Parameters
    ----------
    *starts : Path or str
        Files, or ``module:function`` addresses as the catalogue has them.
    package : Path
        Folder of the library.
    """
    files = [_files_of(s.partition(":")[0], package) if isinstance(s, str) else [s] for s in starts]
    todo: set[Path] = {file for group in files for file in group}
    seen: set[Path] = set()
    while todo:
        path = todo.pop()
        seen.add(path)
        if not is_infrastructure(path, package):
            todo |= imports(path, package) - seen
    return {
        path
        for path in seen
        if path.is_relative_to(package) and not is_infrastructure(path, package)
    }


def stale_stages(root: Path, path: str) -> list[str]:
    """Return the names of the stages that DVC runs again when a file of the repository changes."""
    return [
        name
        for name, spec in dvc_files.stages(root).items()
        if any(Path(path).is_relative_to(dep) for dep in spec.deps)
    ]


@functools.cache
def imports(path: Path, package: Path) -> frozenset[Path]:
    """Return the library files that a file imports itself, packages' ``__init__`` included."""
    found: set[Path] = set()
    for node in _runtime_nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        found.update(file for name in names for file in _files_of(name, package))
    return frozenset(found - {path})


@functools.cache
def is_infrastructure(path: Path, package: Path = _HERE) -> bool:
    """Return whether a file of the library never decides what a stage computes."""
    if not path.is_relative_to(package):
        return False
    inside = path.relative_to(package).parts
    marked = path if len(inside) == 1 else package / inside[0] / "__init__.py"
    return "\nINFRASTRUCTURE = True\n" in f"\n{marked.read_text(encoding='utf-8')}\n"


def _is_library(dep: str) -> bool:
    return Path(dep).is_relative_to(_SOURCES)


def _files_of(name: str, package: Path) -> list[Path]:
    """Return the files that an import of a dotted name runs: of packages above it, then its own."""
    words = name.split(".")
    if words[0] != PACKAGE:
        return []
    places = [package.joinpath(*words[1:end]) for end in range(1, len(words) + 1)]
    candidates = [file for p in places for file in (p / "__init__.py", p.with_suffix(".py"))]
    return [file for file in candidates if file != package.with_suffix(".py") and file.is_file()]


def _has_code(path: Path) -> bool:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(not isinstance(node, ast.Expr) for node in body)


def _runtime_nodes(tree: ast.AST) -> Iterable[ast.AST]:
    """Yield the nodes of a module but those below ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        yield node
        yield from _runtime_nodes(node)
