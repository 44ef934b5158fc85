"""Small DVC repositories without git, whose stages are shell commands, run in this process."""

from __future__ import annotations

import importlib
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from plumbline.stage.scheduler.display import open_display
from plumbline.stage.scheduler.dvc_adapter import hooks
from plumbline.stage.scheduler.pipeline import Settings

CONFIG = "[core]\n    analytics = false\n    check_update = false\n    no_scm = true\n"

# Writes the first argument from the others, after a moment that differs between runs; fails where
# a file asks for it.
RUN = """
out=$1; shift
echo "$DVC_STAGE" >> ran.log
echo "writing $out"
sleep 0.0$(( $$ % 10 ))
name=$(basename "$out")
if [ -e "fail-$name" ]; then echo "$name: must not fail" >&2; exit 3; fi
mkdir -p "$(dirname "$out")"
{ echo "$out"; cat "$@"; } > "$out"
"""


def stage(out: str, *deps: str, **more: Any) -> dict[str, Any]:
    """Return a stage that writes ``out`` from files."""
    words = " ".join(["sh", "run.sh", out, *deps])
    return {"cmd": words, "deps": ["run.sh", *deps], "outs": [out], **more}


class Repository:
    """A repository in a folder.

    Parameters
    ----------
    folder : Path
    pipelines : mapping
        Stages of each ``dvc.yaml`` by its path.
    """

    def __init__(self, folder: Path, pipelines: Mapping[str, Mapping[str, Any]]) -> None:
        self.folder = folder
        files = {".dvc/config": CONFIG, "run.sh": RUN, "params.yaml": "a: 1\nb: 2\n"}
        for path, text in files.items():
            self.write(path, text)
        for path, stages in pipelines.items():
            self.write(path, yaml.safe_dump({"stages": {**stages}}, sort_keys=False))

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text, encoding="utf-8")

    def copy(self, folder: Path) -> Repository:
        """Return a copy with its own caches."""
        shutil.copytree(self.folder, folder)
        shutil.rmtree(folder / ".dvc/tmp", ignore_errors=True)
        found = object.__new__(Repository)
        found.folder = folder
        return found

    def serial(self, *words: str) -> int:
        """Run ``dvc repro`` as it is."""
        from dvc.cli import main

        before = Path.cwd()
        os.chdir(self.folder)
        os.environ["DVC_SITE_CACHE_DIR"] = os.fspath(self.folder / ".dvc/tmp/site")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of DVC's own dependencies
                return int(main(["repro", *words]))
        finally:
            os.chdir(before)

    def parallel(self, *words: str, **options: Any) -> int:
        """Run ``dvc repro`` with stages side by side."""
        with hooked(settings(**options)):
            return self.serial(*words)

    def ran(self) -> list[str]:
        """Return the stages whose commands have run, in the order in which they started."""
        log = self.folder / "ran.log"
        return log.read_text().split() if log.exists() else []

    def locks(self) -> dict[str, str]:
        """Return the text of each lock."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_text()
            for path in sorted(self.folder.rglob("dvc.lock"))
        }

    def files(self) -> dict[str, bytes]:
        """Return the content of every file but the logs, DVC's and the scheduler's own."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if path.is_file() and not name.startswith((".dvc/tmp", ".plumbline", "ran.log")):
                # Entries of the run cache have random names before they have their own.
                found[name] = path.read_bytes()
        return found


def settings(jobs: int = 4, **options: Any) -> Settings:
    """Return settings without memory or run times."""
    known = {"opener": open_display, "seconds": {}, "admit": lambda name, running: True}
    return Settings(jobs=jobs, **{**known, **options})


@contextmanager
def hooked(how: Settings | None) -> Iterator[None]:
    """Wrap the functions of DVC for the length of a block."""
    places = [
        ("dvc.repo.reproduce", "_reproduce"),
        ("dvc.stage.run", "unlocked_repo"),
        ("dvc.stage.run", "_run"),
        ("dvc.stage", "Stage.run"),
        ("dvc.rwlock", "rwlock"),
        ("dvc.dvcfile", "Lockfile.dump_stages"),
        ("dvc.dependency.param", "load_path"),
    ]
    owners = []
    for module, path in places:
        owner: Any = importlib.import_module(module)
        *parts, name = path.split(".")
        for part in parts:
            owner = getattr(owner, part)
        owners.append((owner, name, getattr(owner, name)))
    hooks.install(how)
    try:
        yield
    finally:
        for owner, name, value in owners:
            setattr(owner, name, value)


def names(pipelines: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    """Return the names of all stages."""
    return [name for stages in pipelines.values() for name in stages]
