import pytest

from plumbline.data.text.docstrings import Document, read_docstrings
from plumbline.errors import DataError

SOURCES = {
    "__init__.py": '"""About the whole package."""\nraise RuntimeError("imported")\n',
    "part/__init__.py": "",
    "part/_first.py": '''
"""About the first module."""


class Shown:
    """About a class.

    Flush.
        Indented by four.
    """

    def method(self):
        """About a method."""


class _Hidden:
    """About a hidden class."""


def shown():
    """About a function."""

    def inner():
        """About an inner function."""


def bare():
    pass
''',
    "part/second.py": '''
def repeated():
    """About a function."""


def short():
    """No."""
''',
    "part/odd.py": 'def odd():\n    """About an invalid escape \\d in it."""\n',
    "part/tests/test_first.py": '"""About a test."""\n',
    "externals/other.py": '"""About another project."""\n',
    "conftest.py": '"""About test fixtures."""\n',
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    for name, source in SOURCES.items():
        path = tmp_path / "toy_package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return "toy_package"


def test_public_objects_are_documents_under_their_dotted_paths(package):
    assert read_docstrings(package) == [
        Document("toy_package", "toy_package", "About the whole package."),
        Document("toy_package.part._first", "part", "About the first module."),
        Document(
            "toy_package.part._first.Shown",
            "part",
            "About a class.\n\nFlush.\n    Indented by four.",
        ),
        Document("toy_package.part._first.shown", "part", "About a function."),
        Document("toy_package.part.odd.odd", "part", "About an invalid escape \\d in it."),
        Document("toy_package.part.second.repeated", "part", "About a function."),
        Document("toy_package.part.second.short", "part", "No."),
    ]


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(DataError) as error:
        read_docstrings("no_such_package_here")
    assert str(error.value) == (
        "text: package 'no_such_package_here' must be installed, got none of this name"
    )


def test_docstrings_are_what_python_itself_shows(sklearn_documents):
    import inspect

    import sklearn.linear_model

    documents, _ = sklearn_documents
    text = {d.name: d for d in documents}["sklearn.linear_model._ridge.Ridge"]
    assert text.text == inspect.getdoc(sklearn.linear_model.Ridge).strip()
    assert text.group == "linear_model"
