import hashlib
import json
import os
import platform
import subprocess
import sys
from importlib import metadata

import pytest
import yaml

from plumbline.runs import dvc_files, provenance, record_files
from tests.toy import Toy


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path / "toy")


@pytest.fixture
def fresh():
    provenance.environment_digest.cache_clear()
    yield
    provenance.environment_digest.cache_clear()


def test_a_clean_work_tree_is_not_dirty_and_a_changed_one_has_a_digest_of_how(toy):
    clean = provenance.code_tags(toy.folder)
    assert clean["git.dirty"] == "false"
    assert "git.diff" not in clean
    path = toy.folder / "code/library.py"
    digests = set()
    for text in ("one = 1\n", "two = 2\n"):
        path.write_text(text)
        tags = provenance.code_tags(toy.folder)
        assert tags["git.dirty"] == "true"
        digests.add(tags["git.diff"])
    assert len(digests) == 2


def test_an_untracked_file_that_is_not_ignored_is_dirt(toy):
    path = toy.folder / "code/new file.py"
    path.write_text("x = 1\n")
    first = provenance.code_tags(toy.folder)
    assert first["git.dirty"] == "true"
    path.write_text("x = 2\n")
    assert provenance.code_tags(toy.folder)["git.diff"] != first["git.diff"]
    path.unlink()
    assert provenance.code_tags(toy.folder)["git.dirty"] == "false"


@pytest.mark.parametrize("name", [b"notes.txt", b"caf\xe9.txt"])
def test_bytes_that_are_no_utf8_in_a_file_or_its_name_stop_nothing(toy, name):
    path = toy.folder / os.fsdecode(name)
    path.write_bytes(b"caf\xe9\n")
    untracked = provenance.code_tags(toy.folder)
    subprocess.run(["git", "add", "."], cwd=toy.folder, check=True)
    subprocess.run(["git", "commit", "-qm", "more"], cwd=toy.folder, check=True)
    assert provenance.code_tags(toy.folder)["git.dirty"] == "false"
    path.write_bytes(b"th\xe9\n")
    changed = provenance.code_tags(toy.folder)
    assert changed["git.dirty"] == untracked["git.dirty"] == "true"
    assert changed["git.diff"] != untracked["git.diff"]


def test_what_the_pipeline_itself_makes_is_no_dirt(toy):
    for name in ("dvc.lock", "reports/new.json", "data/made", "mlflow.db"):
        (toy.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (toy.folder / name).write_text("made")
    assert provenance.code_tags(toy.folder)["git.dirty"] == "false"


def test_every_installed_distribution_but_this_one_is_in_the_environment():
    here = {
        f"{d.metadata['Name'].replace('_', '-').replace('.', '-').lower()}=={d.version}"
        for d in metadata.distributions()
    }
    assert set(provenance._distributions()) == {d for d in here if not d.startswith("plumbline==")}


def test_another_version_of_any_package_is_another_environment(tmp_path, monkeypatch, fresh):
    before = provenance.environment_digest()
    assert provenance.environment_digest() == before
    (tmp_path / "made_up-1.0.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    provenance.environment_digest.cache_clear()
    after = provenance.environment_digest()
    (tmp_path / "made_up-1.0.dist-info").rename(tmp_path / "made_up-1.1.dist-info")
    provenance.environment_digest.cache_clear()
    assert len({before, after, provenance.environment_digest()}) == 3


@pytest.mark.parametrize(("where", "value"), [(platform, "0.0.1"), (provenance, ("", {"avx512f"}))])
def test_another_python_or_instruction_set_is_another_environment(monkeypatch, fresh, where, value):
    before = provenance.environment_digest()
    name = "python_version" if where is platform else "_processor"
    monkeypatch.setattr(where, name, lambda: value)
    provenance.environment_digest.cache_clear()
    assert provenance.environment_digest() != before


def test_parameters_have_one_digest_per_block_the_same_from_file_and_lock(toy):
    toy.repro("train_fnn")
    entry = dvc_files.read_lock(toy.folder)["train_fnn"]
    (book,) = record_files.read_all(toy.folder)
    record = record_files.read_record(book)
    assert set(record["param_digests"]) == {"seed", "train_fnn"}
    assert record["param_digests"]["seed"] == hashlib.sha256(b"42").hexdigest()
    assert record["param_digests"] == provenance.param_digests(entry.params)
    raw = yaml.safe_load((toy.folder / "params.yaml").read_text())["train_fnn"]
    text = json.dumps(raw, sort_keys=True)
    assert record["param_digests"]["train_fnn"] == hashlib.sha256(text.encode()).hexdigest()


def test_a_record_tells_environment_seed_and_threads(toy):
    toy.stage("train_fnn")
    (book,) = record_files.read_all(toy.folder)
    record = record_files.read_record(book)
    assert record["environment"] == provenance.environment_digest()
    assert (record["threads"], isinstance(record["seed"], int)) == (1, True)


def test_a_variable_that_chooses_kernels_is_part_of_the_environment(tmp_path, monkeypatch, fresh):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    plain = provenance.environment_digest(), provenance.environment(tmp_path, threads=1)
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    provenance.environment_digest.cache_clear()
    assert provenance.environment_digest() != plain[0]
    assert provenance.environment(tmp_path, threads=1) != plain[1]
