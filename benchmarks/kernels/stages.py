"""Run stages of the default pipeline, on reduced parameters, and digest what they write.

``python benchmarks/kernels/stages.py FOLDER [--emulator "qemu-x86_64 -cpu Haswell"] [stage …]``
runs the stages named, or all of them, one after the other in a clone of HEAD at ``FOLDER``, which
it makes where there is none, and adds the hashes of their outputs to ``stages/<processor>.json``. A
stage reads what the stages before it wrote on the same processor. ``digests.py table`` compares the
files.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import digests

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS = HERE / "stages"

# Below tests/reduced.yaml: an emulated processor is ten to thirty times slower.
LESS: dict[str, Any] = {
    "data_text": {"max_characters": 60000},
    "train_fnn": {"optimisation": {"max_epochs": 4}},
    "train_cnn": {"optimisation": {"max_epochs": 2}},
    "train_gan": {"steps": 8, "log_every": 4},
    "balance_images": {"gan_steps": 8, "draws_per_row": 2},
    "finetune": {"optimisation": {"max_epochs": 2}},
    "evaluate": {
        "bootstrap_replicates": 50, "generated_samples": 60, "text_sample": {"characters": 20},
    },
    "audit": {"bootstrap_replicates": 200},
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("stages", nargs="*")
    parser.add_argument("--emulator", default="")
    parser.add_argument("--minutes", type=float, default=600, help="begin no stage later than this")
    chosen = parser.parse_args()
    emulator = shlex.split(chosen.emulator)
    name = digests.emulated(emulator) if emulator else digests.processor()
    file = RESULTS / f"{digests.slug(name)}.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    found |= {"name": name, "emulated": bool(emulator)}
    RESULTS.mkdir(exist_ok=True)
    for stage, outputs in run(chosen.folder.resolve(), chosen.stages, emulator, chosen.minutes):
        found.setdefault("stages", {})[stage] = outputs
        file.write_text(json.dumps(found, indent=1) + "\n")


def run(folder: Path, wanted: Sequence[str], emulator: Sequence[str], minutes: float) -> Any:
    """Yield each stage's name and the hashes of its outputs as DVC takes them."""
    sys.path.insert(0, str(ROOT))
    from plumbline.runs import dvc_files
    from tests import clone

    if not folder.exists():
        clone.clone_reduced(ROOT, folder, LESS)
    env = {**clone.surroundings(folder), "PLUMBLINE_TRACKING": "off"}
    known = {name: spec for name, spec in dvc_files.stages(folder).items() if not spec.lab}
    end = time.monotonic() + 60 * minutes
    for name in wanted or ordered(known):
        if time.monotonic() > end:
            break
        _, *words = shlex.split(known[name].cmd)
        began = time.monotonic()
        subprocess.run(
            [*emulator, sys.executable, *words], cwd=folder, env={**env, "DVC_STAGE": name},
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        print(f"{name} {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        yield name, {out: dvc_files.content_hash(folder / out) for out in known[name].outs}


def ordered(stages: dict[str, Any]) -> list[str]:
    """Return stages so that each comes after those whose outputs it reads."""
    maker = {out: name for name, spec in stages.items() for out in spec.outs}
    done: dict[str, None] = {}

    def add(name: str) -> None:
        for dep in stages[name].deps:
            path = Path(dep)
            for place in (path, *path.parents):
                if (other := maker.get(place.as_posix())) and other not in done and other != name:
                    add(other)
            for out, other in maker.items():
                if Path(out).is_relative_to(path) and other not in done and other != name:
                    add(other)
        done[name] = None

    for name in stages:
        if name not in done:
            add(name)
    return list(done)


if __name__ == "__main__":
    main()
