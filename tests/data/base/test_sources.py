"""Raw files: what is missing, altered or of another version is refused in one sentence."""

import hashlib
import logging
import os
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import sklearn

from plumbline import artifacts, catalog
from plumbline.data.base import sources
from plumbline.data.base.sources import RawFile
from plumbline.errors import DataError


def altered(source, **changes):
    return {source: replace(sources.SOURCES[source], **changes)}


PACKAGED = sorted(name for name, entry in sources.SOURCES.items() if entry.package)
FETCHED = sorted(set(sources.SOURCES) - set(PACKAGED))


@pytest.mark.parametrize("source", PACKAGED)
def test_the_pinned_packages_hold_the_pinned_bytes(source):
    found = sources.check_raw(source)
    pinned = {name: file.sha256 for name, file in sources.SOURCES[source].files.items()}
    assert found == (pinned or {"scikit-learn==1.9.1": "the installed package"})


def test_the_digest_is_that_of_the_file():
    path = Path(sklearn.__file__).parent / "datasets/data/digits.csv.gz"
    want = hashlib.sha256(path.read_bytes()).hexdigest()
    assert sources.check_raw("digits") == {"digits.csv.gz": want}


def test_an_altered_file_is_named_with_both_digests():
    want, found = "0" * 64, sources.SOURCES["digits"].files["digits.csv.gz"].sha256
    with pytest.raises(DataError) as caught:
        sources.check_raw(
            "digits", sources=altered("digits", files={"digits.csv.gz": RawFile(want)})
        )
    assert str(caught.value) == (
        f"digits: raw file digits.csv.gz must have sha256 {want}, got {found}; "
        "install scikit-learn==1.9.1, as requirements.lock does"
    )


def test_a_missing_file_is_named():
    with pytest.raises(DataError) as caught:
        sources.check_raw("iris", sources=altered("iris", files={"flowers.csv": RawFile("0" * 64)}))
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
    for source in PACKAGED:
        entry = sources.SOURCES[source]
        assert f"{entry.package}=={entry.version}" in lock


@pytest.mark.parametrize("source", sorted(sources.SOURCES))
def test_every_source_says_what_it_is_and_on_what_terms(source):
    entry = sources.SOURCES[source]
    assert entry.dataset in catalog.datasets()
    assert entry.address.startswith("https://")
    quoted = (entry.title, entry.licence, entry.citation, entry.address, entry.description)
    assert all(quoted)
    assert entry.not_known


@pytest.mark.parametrize("source", FETCHED)
def test_a_fetched_file_has_a_secure_address_and_a_wellformed_digest(source):
    files = sources.SOURCES[source].files
    assert files
    for file in files.values():
        # CelebA is laid there by hand: its publisher asks for consent to terms first.
        by_hand = source == "celeba" and not file.url
        assert file.url.startswith("https://") or file.replaces in files or by_hand
        assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)


def test_a_raw_file_that_is_missing_says_what_to_run(tmp_path):
    with pytest.raises(DataError) as caught:
        sources.check_raw("adult", root=tmp_path)
    assert str(caught.value) == (
        "adult: raw file adult.data must exist, got none; run plumbline data fetch adult, or put "
        "the file there"
    )


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_data_of_ones_own_must_have_the_declared_digest(tmp_path, kind):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/table.csv").write_text("a,b\n1,2\n")
    path = tmp_path / "mine" if kind == "folder" else tmp_path / "mine/table.csv"
    found = artifacts.digest(path)
    assert sources.check_user_data("csv", path, found) == {path.name: found}
    (tmp_path / "mine/table.csv").write_text("a,b\n1,3\n")
    with pytest.raises(DataError) as caught:
        sources.check_user_data("csv", path, found)
    assert str(caught.value) == (
        f"csv: {path} must have sha256 {found}, got {artifacts.digest(path)}; if these are the "
        "data you mean, write this digest as csv.sha256 into params.yaml"
    )
    with pytest.raises(DataError, match="path must be a file or folder, got none at"):
        sources.check_user_data("csv", tmp_path / "nothing", found)
    os.mkfifo(tmp_path / "pipe")  # nobody writes to it: reading would wait for ever
    with pytest.raises(DataError, match="path must be a file or folder, got none at"):
        sources.check_user_data("csv", tmp_path / "pipe", found)


def test_hidden_files_of_a_folder_do_not_change_its_digest(tmp_path):
    """Opening a folder in a file manager leaves ``.DS_Store`` or ``Thumbs.db`` behind."""
    (tmp_path / "mine/cat").mkdir(parents=True)
    (tmp_path / "mine/cat/1.png").write_bytes(b"a picture")
    found = artifacts.digest(tmp_path / "mine")
    for name in (".DS_Store", "cat/Thumbs.db", "cat/._1.png", ".ipynb_checkpoints/1.png"):
        (tmp_path / "mine" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "mine" / name).write_bytes(b"left behind")
        assert sources.check_user_data("folder", tmp_path / "mine", found) == {"mine": found}
    assert artifacts.digest(tmp_path / "mine") != found
    (tmp_path / "mine/cat/2.png").write_bytes(b"a picture")
    with pytest.raises(DataError, match=f"^folder: .*must have sha256 {found}, got "):
        sources.check_user_data("folder", tmp_path / "mine", found)


def test_a_hidden_place_above_the_data_hides_nothing(tmp_path):
    (tmp_path / ".mine").mkdir()
    (tmp_path / ".mine/a.txt").write_text("a")
    before = sources.user_digest(tmp_path / ".mine")
    (tmp_path / ".mine/a.txt").write_text("b")
    assert sources.user_digest(tmp_path / ".mine") != before


def test_an_experiment_reads_raw_data_of_the_main_work_tree_that_it_lacks(tmp_path, caplog):
    """DVC runs it in a copy of what git tracks, below ``.dvc/tmp/exps``."""
    apart = tmp_path / ".dvc/tmp/exps/standalone/tmp1"
    apart.mkdir(parents=True)
    table = tmp_path / "data/raw/mine/a.csv"
    table.parent.mkdir(parents=True)
    table.write_text("a\n1\n")
    own = SimpleNamespace(path="data/raw/mine/a.csv", sha256=artifacts.digest(table))
    block = SimpleNamespace(source="csv", csv=own)
    assert sources.located(own.path, apart) == table
    with caplog.at_level(logging.INFO):
        assert sources.raw_files(block, root=apart) == {"a.csv": own.sha256}
    line = f"csv: data/raw/mine/a.csv is read from the main work tree, {table}"
    assert caplog.messages == [line]
    (tmp_path / "data/raw/adult").mkdir()
    assert sources.raw_folder("adult", apart) == tmp_path / "data/raw/adult"
    # A copy of its own comes first, and nobody else's work tree is looked at.
    copy = apart / own.path
    copy.parent.mkdir(parents=True)
    copy.write_text("a\n2\n")
    assert sources.located(own.path, apart) == copy
    with pytest.raises(DataError, match=f"^csv: {copy} must have sha256 {own.sha256}"):
        sources.raw_files(block, root=apart)
    assert sources.located("b.csv", apart) == apart / "b.csv"
    assert sources.located(own.path, tmp_path / "other") == tmp_path / "other" / own.path
