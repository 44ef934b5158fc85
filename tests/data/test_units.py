"""The packages of the data sets are units: none imports more than it needs, none in a circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import plumbline

ROOT = Path(plumbline.__file__).parent
UNITS = {
    "base": set(),
    "pixels": {"base"},
    "tables": {"base"},
    "text": {"base"},
    "images": {"base", "pixels"},
    "glyphs": {"base", "pixels"},
    "fetch": {"base"},
}


def imports(package: str) -> dict[str, set[str]]:
    """Return what each module of a package imports, inside functions too."""
    paths = {
        ".".join(("plumbline", *p.relative_to(ROOT).with_suffix("").parts)).removesuffix(
            ".__init__"
        ): p
        for p in sorted((ROOT / package).rglob("*.py"))
    }
    found = {}
    for name, path in paths.items():
        wanted = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                below = {f"{node.module}.{alias.name}" for alias in node.names}
                wanted |= (below & paths.keys()) or {str(node.module)}
        found[name] = (wanted & paths.keys()) - {name}
    return found


@pytest.mark.parametrize("package", ["artifacts", "data", "data_audit"])
def test_no_module_is_imported_in_a_circle(package):
    order = list(TopologicalSorter(imports(package)).static_order())  # raises CycleError
    assert len(order) > 5


def test_every_unit_imports_only_the_units_it_needs():
    assert UNITS.keys() == {p.parent.name for p in (ROOT / "data").glob("*/__init__.py")}
    for module, wanted in imports("data").items():
        if module != "plumbline.data":
            unit = module.split(".")[2]
            assert {name.split(".")[2] for name in wanted} - {unit} <= UNITS[unit], module
