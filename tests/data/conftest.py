import pytest

from plumbline.data.text.docstrings import Document, read_docstrings
from plumbline.data.text.prepare import without_duplicates


@pytest.fixture(scope="session")
def sklearn_documents() -> tuple[list[Document], int]:
    """The documents of scikit-learn with at least 200 characters, read once."""
    return without_duplicates(read_docstrings("sklearn"), min_characters=200)
