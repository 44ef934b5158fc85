import hashlib
import json
import os
import platform
import subprocess
import sys
from importlib import metadata

import pytest
import yaml

from plumbline import artifacts, params
from plumbline.compat import kernels
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
    before = provenance.environment_digest("portable")
    assert provenance.environment_digest("portable") == before
    (tmp_path / "made_up-1.0.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    provenance.environment_digest.cache_clear()
    after = provenance.environment_digest("portable")
    (tmp_path / "made_up-1.0.dist-info").rename(tmp_path / "made_up-1.1.dist-info")
    provenance.environment_digest.cache_clear()
    assert len({before, after, provenance.environment_digest("portable")}) == 3


@pytest.mark.parametrize("part", ["python_version", "libc_ver"])
def test_another_python_or_libm_is_another_environment(monkeypatch, fresh, part):
    before = provenance.environment_digest("portable")
    monkeypatch.setattr(platform, part, lambda: "0.0.1")
    provenance.environment_digest.cache_clear()
    assert provenance.environment_digest("portable") != before


CPUINFO = {
    "genoa": ("AuthenticAMD", "AMD EPYC 9654", "{v3} avx512f avx512_vnni avx512_bf16"),
    "haswell": ("GenuineIntel", "Intel Core Processor (Haswell)", "{v3}"),
}


@pytest.fixture
def processor(tmp_path, monkeypatch):
    """Make this machine one with the processor of a table as Linux writes it."""

    def change(name):
        vendor, model, flags = CPUINFO[name]
        flags = flags.format(v3="fpu sse4_2 avx avx2 fma f16c bmi1 bmi2 abm movbe")
        table = tmp_path / "cpuinfo"
        table.write_text(f"vendor_id\t: {vendor}\nmodel name\t: {model}\nflags\t\t: {flags}\n")
        monkeypatch.setattr(kernels, "CPUINFO", table)
        provenance.environment_digest.cache_clear()

    return change


@pytest.mark.parametrize(("choice", "same"), [("portable", True), ("native", False)])
def test_two_processors_are_one_environment_with_portable_kernels_only(
    root, tmp_path, fresh, processor, choice, same
):
    trainer = params.load(root / "params.yaml").trainer.model_copy(update={"kernels": choice})
    found = []
    for name in CPUINFO:
        processor(name)
        found.append(
            (provenance.environment_digest(choice), provenance.environment(tmp_path, trainer))
        )
    assert (found[0] == found[1]) == (found[0][0] == found[1][0]) == same


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
    assert record["environment"] == provenance.environment_digest("portable")
    assert (record["threads"], isinstance(record["seed"], int)) == (1, True)


def test_a_variable_that_chooses_native_kernels_is_part_of_the_environment(
    root, tmp_path, monkeypatch, fresh
):
    trainer = params.load(root / "params.yaml").trainer.model_copy(update={"kernels": "native"})
    found = []
    for value in ("Haswell", "Zen", "Zen"):  # of a process with portable kernels, as every test is
        monkeypatch.setenv("OPENBLAS_CORETYPE", value)
        provenance.environment_digest.cache_clear()
        digest = provenance.environment_digest("native")
        found.append((digest, provenance.environment(tmp_path, trainer)))
    assert found[0] != found[1] == found[2]
    assert found[1][1]["kernels"].endswith(" OPENBLAS_CORETYPE=Zen")


def test_the_kernels_are_noted_once_and_again_when_they_are_others(root, tmp_path):
    portable = params.load(root / "params.yaml").trainer
    native = portable.model_copy(update={"kernels": "native"})
    path = tmp_path / provenance.ENVIRONMENT
    assert provenance.note_kernels(tmp_path, portable) == (None, kernels.PORTABLE)
    written = path.stat()
    assert provenance.note_kernels(tmp_path, portable) == (kernels.PORTABLE, kernels.PORTABLE)
    assert path.stat().st_mtime_ns == written.st_mtime_ns
    before, now = provenance.note_kernels(tmp_path, native)
    assert (before, now.split()[0]) == (kernels.PORTABLE, "native")
    assert artifacts.read_json(path) == provenance.environment(tmp_path, native)
    path.write_text("<<<<<<< a conflict of git")
    assert provenance.note_kernels(tmp_path, portable) == (None, kernels.PORTABLE)
