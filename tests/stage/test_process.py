"""The process of a stage: its interpreter, its kernels, and what DVC records of these."""

import json
import sys

import pytest

from plumbline.compat import kernels
from plumbline.runs import dvc_files, record_files
from tests import toy as toys
from tests.toy import Toy

NUMERIC = pytest.mark.skipif(not kernels.available(), reason="the processor has no AVX2")
PORTABLE = "portable x86-64-v3"
ENTRY = ", {reports/environment.json: [kernels]}]"


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A repository with a laboratory whose stages have the kernels among their parameters."""
    for name in ("DVC_YAML", "LAB_YAML"):
        lines = getattr(toys, name).splitlines(keepends=True)
        changed = (
            line.replace("]\n", f"{ENTRY}\n") if "params:" in line else line for line in lines
        )
        monkeypatch.setattr(toys, name, "".join(changed))
    return Toy(tmp_path / "toy", lab=True)


def choose(toy: Toy, choice: str) -> None:
    path = toy.folder / "params.yaml"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(
        "".join(f"  kernels: {choice}\n" if "  kernels: " in line else line for line in lines)
    )


def repro(toy: Toy, *words: str, code: int = 0, **env: str) -> str:
    done = toy.run(sys.executable, "-m", "plumbline.cli", "repro", *words, code=code, **env)
    return done.stdout + done.stderr


def locked(toy: Toy) -> dict[str, str]:
    return {name: e.params["kernels"] for name, e in dvc_files.read_lock(toy.folder).items()}


def runs(toy: Toy) -> list[str]:
    """The stages that have run, in order; not those that DVC restored."""
    records = map(record_files.read_record, record_files.read_all(toy.folder))
    executed = [record for record in records if record["origin"] == "executed"]
    return [record["stage"] for record in sorted(executed, key=lambda r: r["started"])]


def native(toy: Toy, **env: str) -> str:
    """The native kernels of this processor with variables of the user's."""
    program = "from plumbline.compat import kernels; print(kernels.describe('native'))"
    return toy.run(sys.executable, "-c", program, **env).stdout.strip()


# Another processor is played by a variable that chooses other native kernels.
HERE, THERE = {"OPENBLAS_CORETYPE": "Sandybridge"}, {"OPENBLAS_CORETYPE": "Nehalem"}
EVERY = ["train_fnn", "evaluate@fnn", "mitigate@none", "mitigate@drop"]


@NUMERIC
@pytest.mark.slow
def test_results_of_another_processors_native_kernels_are_made_again(toy):
    choose(toy, "native")
    repro(toy, "-P", **THERE)
    assert locked(toy) == dict.fromkeys(EVERY, native(toy, **THERE))
    assert native(toy, **THERE).endswith(" OPENBLAS_CORETYPE=Nehalem")
    toy.commit()
    before = {path: (toy.folder / path).read_bytes() for path in
              ("reports/mitigation/none.json", "reports/mitigation/drop.json")}  # fmt: skip
    repro(toy, "-P", **THERE)
    assert sorted(runs(toy)) == sorted(EVERY)
    # The same commit elsewhere: inputs and outputs, which are in git, have equal bits.
    told = repro(toy, "-P", **HERE)
    assert "plumbline repro` runs again what used the former" in told
    assert sorted(runs(toy)[4:]) == sorted(EVERY)
    assert locked(toy) == dict.fromkeys(EVERY, native(toy, **HERE))
    assert before == {path: (toy.folder / path).read_bytes() for path in before}
    choose(toy, "portable")
    repro(toy, "-P", **HERE)
    assert sorted(runs(toy)[8:]) == sorted(EVERY)
    assert locked(toy) == dict.fromkeys(EVERY, PORTABLE)


@NUMERIC
@pytest.mark.slow
def test_portable_results_are_restored_after_a_trial_of_native_kernels(toy):
    repro(toy)
    first = toy.lock, (toy.folder / "reports/environment.json").read_bytes()
    choose(toy, "native")
    repro(toy)
    assert set(locked(toy).values()) == {native(toy)}
    assert len(runs(toy)) == 4
    records = [record_files.read_record(folder) for folder in record_files.read_all(toy.folder)]
    assert [r["tags"]["kernels"] for r in records] == [r["params"]["kernels"] for r in records]
    choose(toy, "portable")
    repro(toy)
    assert (toy.lock, (toy.folder / "reports/environment.json").read_bytes()) == first
    assert len(runs(toy)) == 4


@NUMERIC
@pytest.mark.slow
def test_an_interrupted_change_leaves_a_lock_that_says_which_kernels_made_what(toy):
    repro(toy, "-P")
    choose(toy, "native")
    assert "failed" in repro(toy, "-P", code=255, TOY="kill")
    assert set(locked(toy).values()) == {PORTABLE}
    repro(toy, "train_fnn")
    assert locked(toy) == {
        "train_fnn": native(toy), **dict.fromkeys(EVERY[1:], PORTABLE),
    }  # fmt: skip
    choose(toy, "portable")
    done = len(runs(toy))
    repro(toy, "-P")
    assert set(locked(toy).values()) == {PORTABLE}
    assert len(runs(toy)) == done


@NUMERIC
@pytest.mark.slow
def test_plain_dvc_records_the_kernels_that_a_stage_has(toy):
    path = toy.folder / "reports/environment.json"
    path.parent.mkdir()
    path.write_text('{"kernels": "native Elsewhere", "processor": "another"}')
    told = toy.repro().stderr
    assert told.count("kernels were 'native Elsewhere' and are 'portable x86-64-v3' now") == 1
    assert locked(toy) == dict.fromkeys(EVERY[:2], PORTABLE)
    found = json.loads(path.read_text())
    assert (found["kernels"], "processor" in found) == (PORTABLE, False)
    # As the lock of another processor's native kernels would be.
    path.write_text(json.dumps({**found, "kernels": "native Elsewhere"}))
    toy.run(sys.executable, "-m", "dvc", "commit", "-f", *EVERY[:2])
    assert set(locked(toy).values()) == {"native Elsewhere"}
    toy.seed(7)
    toy.repro()
    assert locked(toy) == dict.fromkeys(EVERY[:2], PORTABLE)
    assert runs(toy) == [*EVERY[:2], *EVERY[:2]]


def test_a_stage_without_the_entry_notes_nothing(tmp_path):
    toy = Toy(tmp_path / "toy")
    toy.stage("train_fnn")
    assert not (toy.folder / "reports/environment.json").exists()


PRINT_KERNELS = """
import os, sys
from plumbline import stage

def main(run):
    import torch
    rank = os.environ.get("RANK", "-")
    found = [torch.backends.cpu.get_cpu_capability(), os.environ["MKL_CBWR"]]
    os.write(1, f"kernels {rank} {found}\\n".encode())
    os._exit(0)

if __name__ == "__main__":
    stage.execute(main)
"""


OTHER = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "AVX512"}


@NUMERIC
def test_a_stage_computes_with_avx2_whatever_the_surroundings_say(toy):
    (toy.folder / "pipelines/train.py").write_text(PRINT_KERNELS)
    assert "kernels - ['AVX2', 'COMPATIBLE']" in toy.stage("train_fnn", **OTHER).stdout
    choose(toy, "native")
    assert "kernels - ['DEFAULT', 'AVX512']" in toy.stage("train_fnn", **OTHER).stdout


@NUMERIC
@pytest.mark.slow
def test_the_processes_of_torchrun_compute_with_avx2(toy):
    script = toy.folder / "pipelines/train.py"
    script.write_text(PRINT_KERNELS)
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    done = toy.run(*words, str(script), "fnn", DVC_STAGE="train_fnn", **OTHER)
    assert {line for line in done.stdout.splitlines() if line.startswith("kernels")} == {
        f"kernels {rank} ['AVX2', 'COMPATIBLE']" for rank in (0, 1)
    }


@NUMERIC
def test_a_script_that_loads_a_library_too_early_is_refused(toy):
    script = toy.folder / "pipelines/train.py"
    script.write_text("import numpy\n" + script.read_text())
    done = toy.stage("train_fnn", code=1, MKL_CBWR="AVX2")
    assert "kernels: must be chosen before the import of numpy, got other values" in done.stderr
    assert not (toy.folder / "data/models").exists()
