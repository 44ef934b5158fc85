"""A clone of HEAD, as a newcomer has it: for the tests that run the real pipeline."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import yaml

from plumbline.overlay import merge


class Clone:
    """A clone with its own environment and stores, and reduced parameters committed."""

    def __init__(self, root: Path, folder: Path) -> None:
        subprocess.run(["git", "clone", "-q", root, folder], check=True)
        self.folder = folder
        binaries = Path(sys.executable).parent
        self.env = {
            **{
                k: v
                for k, v in os.environ.items()
                if not k.startswith(("PLUMBLINE_", "MLFLOW_", "DVC_"))
            },
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(folder / "src"),
            "DVC_GLOBAL_CONFIG_DIR": str(folder.parent / "dvc-global"),
            "DVC_SYSTEM_CONFIG_DIR": str(folder.parent / "dvc-system"),
            "DVC_SITE_CACHE_DIR": str(folder.parent / "dvc-site"),
            "DVC_NO_ANALYTICS": "1",
            "GIT_AUTHOR_NAME": "test",
            "GIT_AUTHOR_EMAIL": "test@example.org",
            "GIT_COMMITTER_NAME": "test",
            "GIT_COMMITTER_EMAIL": "test@example.org",
        }
        (folder / ".venv").mkdir()
        (folder / ".venv/.complete").touch()  # make finds an environment: the one of this test
        (folder / ".venv/bin").symlink_to(binaries)
        reduced = yaml.safe_load((root / "tests/reduced.yaml").read_text(encoding="utf-8"))
        path = folder / "params.yaml"
        path.write_text(yaml.safe_dump(merge(yaml.safe_load(path.read_text()), reduced)))
        self.run("git commit -qam reduced")

    def run(self, command: str, *, code: int = 0) -> str:
        """Run a command line, as a shell would cut it, and return what it printed."""
        done = subprocess.run(
            shlex.split(command),
            cwd=self.folder,
            env=self.env,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout
