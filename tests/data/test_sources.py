"""Raw files: what is missing, altered or of another version is refused in one sentence."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import sklearn

from plumbline.data import sources
from plumbline.errors import DataError


def altered(source, **changes):
    return {source: replace(sources.SOURCES[source], **changes)}


@pytest.mark.parametrize("source", sorted(sources.SOURCES))
def test_the_pinned_packages_hold_the_pinned_bytes(source):
    found = sources.check_raw(source)
    pinned = dict(sources.SOURCES[source].files)
    assert found == (pinned or {"scikit-learn==1.9.1": "the installed package"})


def test_the_digest_is_that_of_the_file():
    path = Path(sklearn.__file__).parent / "datasets/data/digits.csv.gz"
    want = hashlib.sha256(path.read_bytes()).hexdigest()
    assert sources.check_raw("digits") == {"digits.csv.gz": want}


def test_an_altered_file_is_named_with_both_digests():
    want, found = "0" * 64, sources.SOURCES["digits"].files["digits.csv.gz"]
    with pytest.raises(DataError) as caught:
        sources.check_raw("digits", sources=altered("digits", files={"digits.csv.gz": want}))
    assert str(caught.value) == (
        f"digits: raw file digits.csv.gz must have sha256 {want}, got {found}; "
        "install scikit-learn==1.9.1, as requirements.lock does"
    )


def test_a_missing_file_is_named():
    with pytest.raises(DataError) as caught:
        sources.check_raw("iris", sources=altered("iris", files={"flowers.csv": "0" * 64}))
    assert str(caught.value) == (
        "iris: raw file flowers.csv must exist, got none; "
        "install scikit-learn==1.9.1, as requirements.lock does"
    )


def test_text_of_another_version_is_another_text():
    with pytest.raises(DataError) as caught:
        sources.check_raw("sklearn_docs", sources=altered("sklearn_docs", version="1.2.3"))
    assert str(caught.value) == (
        "sklearn_docs: scikit-learn must have version 1.2.3, got 1.9.1; "
        "install scikit-learn==1.2.3, as requirements.lock does"
    )


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(sources.util, "find_spec", lambda name: None)
    with pytest.raises(DataError) as caught:
        sources.check_raw("matplotlib_fonts")
    assert str(caught.value).startswith(
        "matplotlib_fonts: package matplotlib must be installed, got none; install matplotlib=="
    )


def test_versions_are_those_of_the_lock(root):
    lock = (root / "requirements.lock").read_text(encoding="utf-8").splitlines()
    for source in sources.SOURCES.values():
        assert f"{source.package}=={source.version}" in lock
