import pytest

from plumbline.data.text.docstrings import Document, read_documents


@pytest.fixture(scope="session")
def sklearn_documents() -> tuple[list[Document], int]:
    """The documents of scikit-learn with at least 200 characters, read once."""
    return read_documents("sklearn", min_characters=200)
