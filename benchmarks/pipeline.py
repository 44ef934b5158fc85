"""The pipeline beside DVC: a run with nothing to do, how soon a stage begins, how long stages took.

The first two run in a clone whose outputs are checked out of this repository's DVC cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from plumbline.runs import dvc_files, record_files, records

import measure
from measure import Row, take_turns, within

ROOT = Path(__file__).parents[1]
# Runs the script of a stage up to where its own work would begin, and says when that is.
BEGIN = """
import runpy, sys, time
from plumbline import stage
whole = stage.execute
def begun(run):
    print(time.time())
    raise SystemExit(0)
stage.execute = lambda main: whole(begun)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
TORCH_FREE = (
    "prepare", "data_audit", "datasheet", "baseline", "fold", "cross_validate", "audit",
    "dilemma", "standards", "card", "report", "gate",
)  # fmt: skip


def rows() -> Iterator[Row]:
    yield took()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        env = checked_out(clone)
        yield nothing_to_do(clone, env)
        yield begins(clone, env)


def took() -> Row:
    """Add up what the stages of ``dvc.yaml`` took when they were last run on this machine."""
    seconds = {}
    for folder in record_files.read_all(ROOT):
        record = record_files.read_record(folder)
        if record["status"] == records.FINISHED and record["ended"]:
            seconds[record["stage"]] = (record["ended"] - record["begun"]) / 1000
    stages = dvc_files.stages(ROOT)
    missing = [name for name in stages if name not in seconds]
    if missing:
        return Row(
            20, "default pipeline", f"{len(stages)} stages", "none", "not measured", "≤ 10 min",
            note=f"{len(missing)} stages have no run record here; make repro first",
        )  # fmt: skip
    total = sum(seconds[name] for name in stages)
    slowest = sorted(stages, key=lambda name: -seconds[name])[:3]
    said = ", ".join(f"{name} {seconds[name]:.0f}" for name in slowest)
    return Row(
        20, "default pipeline", f"{len(stages)} stages", "none", f"{total / 60:.1f} min",
        "≤ 10 min", total <= 600, total, note=f"sum over the last run of each; slowest, s: {said}",
        why="The slowest stages are named.",
    )  # fmt: skip


def surroundings(clone: Path, own: Path) -> dict[str, str]:
    """Return an environment with the sources of a clone, and settings of DVC below ``own``."""
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("DVC_")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(clone / "src"),
        "DVC_GLOBAL_CONFIG_DIR": str(own / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(own / "system"),
        "DVC_SITE_CACHE_DIR": str(own / "site"),
        "DVC_NO_ANALYTICS": "1",
        "PLUMBLINE_TRACKING": "off",
    }


def checked_out(clone: Path) -> dict[str, str]:
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    env = surroundings(clone, clone.parent)
    cache = ["dvc", "config", "--local", "cache.dir", str(ROOT / ".dvc/cache")]
    for words in (cache, ["dvc", "checkout", "--quiet", "--allow-missing"]):
        subprocess.run([sys.executable, "-m", *words], cwd=clone, env=env, check=True)
    return env


def nothing_to_do(clone: Path, env: dict[str, str]) -> Row:
    def ours() -> None:
        run([sys.executable, "-m", "plumbline.cli", "repro"])

    def peer() -> None:
        run([sys.executable, "-m", "dvc", "repro"])

    def run(words: list[str]) -> str:
        done = subprocess.run(words, cwd=clone, env=env, check=True, capture_output=True, text=True)
        return done.stdout

    status = run([sys.executable, "-m", "dvc", "status"])
    if "up to date" not in status:
        return Row(
            20, "nothing to do", "the default pipeline", "dvc repro", "not measured", "≤ 1.2",
            note="dvc.lock does not describe this commit; make repro and commit first",
        )  # fmt: skip
    return within(
        20, "nothing to do", "the default pipeline", "dvc repro", take_turns(ours, peer, turns=3),
        goal=1.2, note="ours prints the table of models as well",
        why="A process of its own, the check of the parameters and the table come on top.",
    )  # fmt: skip


def begins(clone: Path, env: dict[str, str]) -> Row:
    """Measure from the start of a process to where the script's own work begins."""
    seconds = {}
    for name, spec in dvc_files.stages(clone).items():
        kind = name.partition("@")[0]
        there = all((clone / dep).exists() for dep in spec.deps)
        if kind in TORCH_FREE and kind not in seconds and there:
            words = [sys.executable, "-c", BEGIN, *spec.cmd.split()[1:]]
            seconds[kind] = min(begin(words, clone, {**env, "DVC_STAGE": name}) for _ in range(2))
    slowest = max(seconds, key=lambda kind: seconds[kind])
    return Row(
        20, "start of a torch-free stage", f"{len(seconds)} kinds of stages", "none",
        f"{seconds[slowest]:.2f} s", "≤ 1.5 s", seconds[slowest] <= 1.5, seconds[slowest],
        note=f"the slowest, {slowest}; the quickest {min(seconds.values()):.2f} s; process, "
        "parameters, digests of its inputs, run record; not what its work imports",
        why="Python, pydantic and the digests of all that the stage depends on.",
    )  # fmt: skip


def begin(words: list[str], clone: Path, env: dict[str, str]) -> float:
    start = time.time()
    done = subprocess.run(words, cwd=clone, env=env, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return float(done.stdout.split()[-1]) - start


if __name__ == "__main__":
    measure.main(rows, __doc__)
