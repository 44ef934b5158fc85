"""Documents of text with their vocabulary: the public docstrings of the pinned scikit-learn."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

from plumbline import names
from plumbline.artifacts import RARE, DatasetSchema
from plumbline.data.docstrings import Document, read_documents
from plumbline.data.prepared import PreparedData
from plumbline.data.sources import SOURCES
from plumbline.data.splits import assign_splits, hash_order
from plumbline.errors import DataError
from plumbline.params import TextData

MIN_CHARACTERS = 10_000  # less is no text to fit a language model to
MIN_GROUP_SHARE = 0.04  # of the characters; smaller subpackages are pooled
POOLED = "other"


def prepare_text(parameters: TextData) -> PreparedData:
    """Prepare the docstrings of scikit-learn.

    Raises
    ------
    DataError
        If there are too few characters, or a group is missing from a split.
    """
    found, duplicates = read_documents("sklearn", min_characters=parameters.min_document_characters)
    return text_from_documents(found, parameters=parameters, duplicates=duplicates)


def text_from_documents(
    documents: Sequence[Document], *, parameters: TextData, duplicates: int = 0
) -> PreparedData:
    """Choose, group and split documents; see `prepare_text`."""
    import pandas as pd

    kept = choose_documents(
        documents, max_characters=parameters.max_characters, salt=parameters.source
    )
    characters = sum(len(document.text) for document in kept)
    if characters < MIN_CHARACTERS:
        raise DataError(
            f"{parameters.source}: text must have at least {MIN_CHARACTERS} characters, got "
            f"{characters} in {len(kept)} documents; raise data_text.max_characters or lower "
            "data_text.min_document_characters"
        )
    # A group with fewer documents would leave a split without one.
    fewest = math.ceil(0.5 / min(parameters.val_fraction, parameters.test_fraction))
    groups = pool_small_groups(kept, min_share=MIN_GROUP_SHARE, min_documents=fewest)
    splits = assign_splits(
        [document.name for document in kept],
        strata=groups,
        val_fraction=parameters.val_fraction,
        test_fraction=parameters.test_fraction,
        salt=parameters.source,
    )
    train = [d.text for d, split in zip(kept, splits, strict=True) if split == names.TRAIN]
    vocabulary = build_vocabulary(train, min_count=parameters.min_character_count)
    table = pd.DataFrame(
        {
            "sample_id": [document.name for document in kept],
            "split": splits,
            "text": [document.text for document in kept],
            "subpackage": groups,
        }
    )
    schema = DatasetSchema(
        dataset=names.TEXT,
        source=parameters.source,
        task="language",
        attributes=("subpackage",),
        about={
            **_about(),
            "documents": len(kept),
            "characters": characters,
            "documents_available": len(documents),
            "duplicate_docstrings_left_out": duplicates,
            "vocabulary_size": len(vocabulary),
        },
    )
    return PreparedData(schema=schema, table=table, vocabulary=vocabulary)


def choose_documents(
    documents: Sequence[Document], *, max_characters: int, salt: str
) -> list[Document]:
    """Take documents in hash order while they fit into ``max_characters``; sorted by name."""
    by_name = {document.name: document for document in documents}
    chosen, used = [], 0
    for name in hash_order(by_name, salt=f"{salt}/chosen"):
        used += len(by_name[name].text)
        if used > max_characters:
            break
        chosen.append(by_name[name])
    return sorted(chosen, key=lambda document: document.name)


def pool_small_groups(
    documents: Sequence[Document], *, min_share: float, min_documents: int
) -> list[str]:
    """Return each document's subpackage, or ``other`` where the subpackage is small.

    Small means under ``min_share`` of the characters or under ``min_documents`` documents.
    """
    characters: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for document in documents:
        characters[document.subpackage] += len(document.text)
        counts[document.subpackage] += 1
    total = characters.total()
    large = {
        name
        for name in characters
        if characters[name] >= min_share * total and counts[name] >= min_documents
    }
    return [d.subpackage if d.subpackage in large else POOLED for d in documents]


def build_vocabulary(texts: Iterable[str], *, min_count: int) -> tuple[str, ...]:
    """Return `RARE` and then the characters with at least ``min_count`` uses, by code point."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    return (RARE, *sorted(c for c, n in counts.items() if n >= min_count and c != RARE))


def _about() -> dict[str, Any]:
    return {
        **SOURCES["sklearn_docs"].about(),
        "description": (
            f"Docstrings of the public modules, functions and classes of scikit-learn "
            f"{version('scikit-learn')}, one document per object, methods left out. "
            "English prose about machine learning with parameter lists, formulas and "
            "short Python examples."
        ),
        "attributes": {
            "subpackage": (
                "First part of the object's dotted path below sklearn; subpackages with under "
                f"{MIN_GROUP_SHARE:.0%} of the characters or too few documents for every split "
                f"are pooled as {POOLED!r}."
            ),
        },
        "not_known": (
            "Who wrote which passage. Docstrings that are equal are left out, near-duplicates are "
            "not: parameter descriptions recur almost word for word in several splits, so a model "
            "may score lower bits per character here than on prose it has never met."
        ),
        "split": "by SHA-256 of the object's dotted path, stratified by subpackage",
    }
