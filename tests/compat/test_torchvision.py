from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from plumbline.compat import torchvision


def python(code: str, *, path: list[Path] | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if path:
        environment["PYTHONPATH"] = os.pathsep.join(str(p) for p in path)
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip


def fake_torchvision(folder: Path, body: str) -> Path:
    package = folder / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(textwrap.dedent(body))
    return folder


def test_installing_imports_neither_torch_nor_torchvision():
    done = python(
        """
        import sys
        from plumbline.compat import torchvision as torchvision_guard
        torchvision_guard.install()
        assert not {"torch", "torchvision"} & set(sys.modules)
        """
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_installing_twice_leaves_one_finder():
    done = python(
        """
        import sys
        from plumbline.compat import torchvision as torchvision_guard
        before = len(sys.meta_path)
        torchvision_guard.install()
        torchvision_guard.install()
        print(len(sys.meta_path) - before)
        """
    )
    assert done.stdout == "1\n"


def test_a_torchvision_that_imports_is_left_alone(tmp_path):
    fake_torchvision(tmp_path, "loads = globals().get('loads', 0) + 1")
    done = python(
        """
        import sys
        from plumbline.compat import torchvision as torchvision_guard
        torchvision_guard.install()
        import torchvision
        print(torchvision.loads, "torch" in sys.modules, type(torchvision.__loader__).__name__,
              type(torchvision.__spec__.loader).__name__)
        """,
        path=[tmp_path],
    )
    assert done.stdout == "1 False SourceFileLoader SourceFileLoader\n"


@pytest.mark.parametrize(
    "error",
    [
        "RuntimeError('operator torchvision::roi_align does not exist')",
        "ImportError('operator torchvision::nms does not exist')",
    ],
)
def test_any_other_error_passes_without_a_second_try(tmp_path, error):
    fake_torchvision(tmp_path, f"print('run'); raise {error}")
    done = python(
        """
        from plumbline.compat import torchvision as torchvision_guard
        torchvision_guard.install()
        try:
            import torchvision
        except Exception as error:
            print(repr(error))
        """,
        path=[tmp_path],
    )
    assert done.stdout == f"run\n{error.replace(chr(34), chr(39))}\n"


def test_the_missing_operators_are_defined_and_the_import_repeated(tmp_path):
    fake_torchvision(
        tmp_path,
        """
        import torch

        @torch.library.register_fake("torchvision::nms")
        def nms(dets, scores, iou_threshold):
            return dets.new_empty(0)

        @torch.library.register_fake("torchvision::qnms")
        def qnms(dets, scores, iou_threshold):
            return dets.new_empty(0)
        """,
    )
    done = python(
        """
        from plumbline.compat import torchvision as torchvision_guard
        torchvision_guard.install()
        import torch, torchvision
        print(torch.ops.torchvision.nms.default._schema)
        """,
        path=[tmp_path],
    )
    assert done.stderr == ""
    assert done.stdout == (
        "torchvision::nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor\n"
    )


def test_the_installed_torchvision_works_through_the_guard():
    done = python(
        """
        from plumbline.compat import torchvision as torchvision_guard
        torchvision_guard.install()
        import torch
        from torchvision.transforms import CenterCrop
        print(tuple(CenterCrop(2)(torch.zeros(1, 4, 4)).shape))
        """
    )
    assert done.stdout == "(1, 2, 2)\n", done.stderr


def test_a_missing_torchvision_is_still_reported_as_missing(tmp_path):
    done = python(
        """
        import sys
        from plumbline.compat import torchvision as torchvision_guard
        torchvision_guard.install()
        sys.path = []
        try:
            import torchvision
        except ModuleNotFoundError as error:
            print(error)
        """
    )
    assert done.stdout == "No module named 'torchvision'\n"


def test_the_site_folder_guards_processes_that_import_nothing_of_ours():
    done = python("import torchvision", path=[torchvision.site_folder()])
    assert (done.returncode, done.stderr) == (0, "")


def test_the_site_folder_is_harmless_where_plumbline_is_not_installed(tmp_path):
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import sitecustomize"],
        capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(torchvision.site_folder())}, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
