"""Documents of text with their vocabulary: scikit-learn's docstrings, or text from files."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from plumbline import names
from plumbline.artifacts import RARE, DatasetSchema
from plumbline.data.base.prepared import PreparedData
from plumbline.data.base.sources import SOURCES
from plumbline.data.base.splits import Labels, hash_order, tertile_groups
from plumbline.data.text.docstrings import Document, read_docstrings
from plumbline.data.text.files import PASSAGE_CHARACTERS, read_shakespeare, read_user_documents
from plumbline.data.text.split import SharedText, split_documents
from plumbline.data.text.word_runs import WORDS
from plumbline.errors import DataError
from plumbline.params.data import TextData

MIN_CHARACTERS = 10_000  # less is no text to fit a language model to
MIN_GROUP_SHARE = 0.04  # of the characters; smaller subpackages are pooled
POOLED = "other"


def prepare(parameters: TextData, *, seed: int, root: Path = Path()) -> PreparedData:
    """Prepare the text that the parameters name.

    Parameters
    ----------
    parameters : TextData
    seed : int
        Unused: splits are a function of the sample ids alone.
    root : Path
        Root of the repository: raw files and the user's files are below it.

    Raises
    ------
    DataError
        If a file cannot be read as declared, there are too few characters, or a group is missing
        from a split.
    """
    if parameters.source == "sklearn_docs":
        return text_from_documents(read_docstrings("sklearn"), parameters=parameters)
    own, attribute = parameters.file, None
    if parameters.source == "file" and own is not None:
        documents, attribute = read_user_documents(own, root=root), own.attribute
        about = {**own.about.model_dump(), "attributes": {}}
        if attribute is not None:
            about["attributes"] = {attribute: f"{attribute!r} as declared in the file."}
    else:
        documents = read_shakespeare(root)
        about = SOURCES["tinyshakespeare"].about(passage=PASSAGE_CHARACTERS)
    by = f", stratified by {attribute}" if attribute else ""
    about["split"] = f"by SHA-256 of the document's name{by}"
    return text_from_documents(documents, parameters=parameters, attribute=attribute, about=about)


def without_duplicates(
    documents: Sequence[Document], *, min_characters: int
) -> tuple[list[Document], int]:
    """Leave out short documents and those equal to an earlier one; return how many were equal."""
    first = {document.text: document for document in reversed(documents)}
    kept = [d for d in documents if first[d.text] is d and len(d.text) >= min_characters]
    return kept, len(documents) - len(first)


def text_from_documents(
    documents: Sequence[Document],
    *,
    parameters: TextData,
    attribute: str | None = "subpackage",
    about: Mapping[str, Any] | None = None,
) -> PreparedData:
    """Choose, group and split documents; see `prepare`.

    Parameters
    ----------
    documents : sequence of Document
    parameters : TextData
    attribute : str or None
        Name of the documents' groups; None to group them by length, so that an audit has groups
        to compare.
    about : mapping, optional
        Of another source than scikit-learn's docstrings.
    """
    import pandas as pd

    documents, duplicates = without_duplicates(
        documents, min_characters=parameters.min_document_characters
    )
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
    shared = SharedText.of([document.text for document in kept], parameters)
    splits = split_documents(
        [document.name for document in kept],
        shared=shared,
        strata=groups,
        val_fraction=parameters.val_fraction,
        test_fraction=parameters.test_fraction,
        salt=parameters.source,
    )
    _check_splits(splits, shared, source=parameters.source)
    train = [d.text for d, split in zip(kept, splits, strict=True) if split == names.TRAIN]
    vocabulary = build_vocabulary(train, min_count=parameters.min_character_count)
    table = pd.DataFrame(
        {
            "sample_id": [document.name for document in kept],
            "split": splits,
            "text": [document.text for document in kept],
            names.CONTAINMENT: shared.containment(splits),
        }
    )
    described = dict(about or _docstrings())
    described["split"] += "; " + _shared_text_rule(parameters)
    if attribute is None:
        attribute = "length"
        lengths = [len(document.text) for document in kept]
        table[attribute], bounds = tertile_groups(
            lengths, splits == names.TRAIN, ("short", "medium", "long")
        )
        note = f"The document's length in characters, no property of a person: {bounds}"
        described["attributes"] = {attribute: note}
    else:
        table[attribute] = groups
    schema = DatasetSchema(
        dataset=names.TEXT,
        source=parameters.source,
        task="language",
        attributes=(attribute,),
        about={
            **described,
            "documents": len(kept),
            "characters": characters,
            "documents_available": len(documents),
            f"duplicate_{'documents' if about else 'docstrings'}_left_out": duplicates,
            "vocabulary_size": len(vocabulary),
            **shared.facts(),
        },
    )
    return PreparedData(schema=schema, table=table, vocabulary=vocabulary)


def _check_splits(splits: Labels, shared: SharedText, *, source: str) -> None:
    absent = [split for split in names.SPLITS if split not in set(splits)]
    if not absent:
        return
    facts, why = shared.facts(), ""
    if facts["groups_that_share_text"] or facts["documents_kept_in_training"]:
        why = (
            f"; {facts['largest_group_that_shares_text']} documents share text with one another, "
            f"{facts['documents_kept_in_training']} repeat others; raise data_text.shared_runs "
            "or data_text.max_containment"
        )
    raise DataError(
        f"{source}: split {absent[0]} must have a document, got none of {len(splits)}; cut the "
        f"text into more documents{why}"
    )


def _shared_text_rule(parameters: TextData) -> str:
    return (
        f"documents with {parameters.shared_runs:.0%} of the shorter one's runs of {WORDS} words "
        "in common are in one split, and so are those linked by others; a group of such documents "
        "is in training if one of them has more than "
        f"{parameters.max_containment:.0%} of its runs in documents outside the group, or if the "
        "group is larger than a held-out split"
    )


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
        characters[document.group] += len(document.text)
        counts[document.group] += 1
    total = characters.total()
    large = {
        name
        for name in characters
        if characters[name] >= min_share * total and counts[name] >= min_documents
    }
    return [d.group if d.group in large else POOLED for d in documents]


def build_vocabulary(texts: Iterable[str], *, min_count: int) -> tuple[str, ...]:
    """Return `RARE` and then the characters with at least ``min_count`` uses, by code point."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    return (RARE, *sorted(c for c, n in counts.items() if n >= min_count and c != RARE))


def _docstrings() -> dict[str, Any]:
    return SOURCES["sklearn_docs"].about(
        version=version("scikit-learn"), min_share=f"{MIN_GROUP_SHARE:.0%}", pooled=POOLED
    )
