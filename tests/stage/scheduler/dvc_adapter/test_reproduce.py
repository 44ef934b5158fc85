"""``dvc repro`` with stages side by side leaves what a serial one leaves, whatever its options."""

import random

import pytest

from tests.stage.scheduler.repositories import Repository, stage

PIPELINES = {
    "dvc.yaml": {
        "first": stage("out/first", "in/first", params=["a"]),
        "second": stage("out/second", "in/second"),
        "left": stage("out/left", "out/first"),
        "right": stage("out/right", "out/first", "out/second", params=["b"]),
        "kept": {
            **stage("out/kept", "out/right"),
            "outs": [{"out/kept": {"cache": False}}],
        },
        "frozen": stage("out/frozen", "out/left", frozen=True),
        "always": stage("out/always", "in/second", always_changed=True),
        "last": stage("out/last", "out/left", "out/right", "out/frozen"),
    },
    "labs/lab/dvc.yaml": {
        "study": stage("out/study", "out/right", wdir="../.."),
        "other": stage("out/other", "in/first", wdir="../.."),
    },
}
OPTIONS = [
    [],
    ["-P"],
    ["--force"],
    ["--force-downstream"],
    ["--force", "--force-downstream", "left"],
    ["left"],
    ["out/last"],
    ["right", "labs/lab/dvc.yaml:other"],
    ["labs/lab/dvc.yaml"],
    ["-R", "labs"],
    ["--single-item", "last", "left"],
    ["--downstream", "left"],
    ["--pipeline", "study"],
    ["--pipeline", "labs/lab/dvc.yaml:study"],
    ["--pull"],
    ["--allow-missing"],
    ["--glob", "*t"],
    ["--dry"],
    ["--no-commit"],
    ["--no-run-cache"],
    ["--interactive"],
    ["no-such-stage"],
]
FAILING = [
    (["--keep-going", "-P"], ["first"]),
    (["--keep-going"], ["left", "second"]),
    (["--ignore-errors", "-P"], ["right"]),
    (["--single-item", "right", "left"], ["right"]),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A repository that has run once and in which inputs and parameters have changed since."""
    found = Repository(tmp_path_factory.mktemp("made") / "repository", PIPELINES)
    found.write("in/first", "1\n")
    found.write("in/second", "2\n")
    found.write("out/frozen", "of an earlier time\n")
    assert found.serial("-P") == 0
    found.write("in/first", "one\n")
    found.write("params.yaml", "a: 1\nb: 3\n")
    (found.folder / "out/always").unlink()
    (found.folder / "ran.log").unlink()
    return found


def compare(made: Repository, folder, words, *, fails=()):
    """Run copies of a repository in both ways and return the one whose stages ran side by side."""
    serial, parallel = made.copy(folder / "serial"), made.copy(folder / "parallel")
    for one in (serial, parallel):
        for name in fails:
            one.write(f"fail-{name}", "")
    codes = serial.serial(*words), parallel.parallel(*words)
    assert codes[0] == codes[1]
    assert parallel.locks() == serial.locks()
    assert sorted(parallel.ran()) == sorted(serial.ran())
    assert parallel.files() == serial.files()
    return parallel


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_options_have_the_effect_that_they_have_in_a_serial_run(made, tmp_path, words):
    compare(made, tmp_path, words)


@pytest.mark.parametrize(("words", "fails"), FAILING)
def test_failures_have_the_effect_that_they_have_in_a_serial_run(made, tmp_path, words, fails):
    found = compare(made, tmp_path, words, fails=fails)
    assert found.ran()


def test_a_new_lock_and_a_restored_one_are_those_of_a_serial_run(made, tmp_path):
    new = made.copy(tmp_path / "new")
    for lock in new.locks():
        (new.folder / lock).unlink()
    ran = compare(new, tmp_path / "ran", ["-P"])
    assert "first" in ran.ran()
    # Once more from the run cache: only what has none runs.
    for lock in ran.locks():
        (ran.folder / lock).unlink()
    (ran.folder / "ran.log").unlink()
    again = compare(ran, tmp_path / "restored", ["-P"])
    assert again.ran() == ["kept", "always"] or again.ran() == ["always", "kept"]


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 20))]
)
def test_locks_of_random_pipelines_are_those_of_a_serial_run(tmp_path, seed):
    draw = random.Random(seed)
    outs: list[str] = []
    pipelines: dict[str, dict] = {"dvc.yaml": {}, "labs/lab/dvc.yaml": {}}
    order = draw.sample(range(12), 12)
    for number in order:
        deps = draw.sample(outs, min(len(outs), draw.choice([0, 1, 1, 2, 3])))
        file = draw.choice(list(pipelines))
        more = {} if file == "dvc.yaml" else {"wdir": "../.."}
        pipelines[file][f"s{number}"] = stage(f"out/{number}", *(deps or ["in/first"]), **more)
        outs.append(f"out/{number}")
    # The order of the file is not that of the graph.
    shuffled = {
        file: dict(draw.sample(list(stages.items()), len(stages)))
        for file, stages in pipelines.items()
    }
    made = Repository(tmp_path / "made", shuffled)
    made.write("in/first", "1\n")
    if draw.random() < 0.5:  # some entries are there already
        known = list(shuffled["dvc.yaml"]) or ["-P"]
        assert made.serial(draw.choice(known)) == 0
    compare(made, tmp_path, ["-P"])
