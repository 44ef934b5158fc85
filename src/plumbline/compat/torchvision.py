"""Let torchvision be imported beside a torch that its compiled operators were not built for.

The torchvision wheel of the package index is built for CUDA; beside a CPU torch its import stops at
``operator torchvision::nms does not exist`` (https://github.com/pytorch/vision/issues/9085), and
Lightning, timm and torchmetrics import it. `install` puts a finder on ``sys.meta_path`` that costs
nothing until torchvision is imported. On exactly that error it defines the two missing operator
schemas and imports again: transforms, data sets and models then work, detection operators do not.
Where the real operators load, nothing is touched; any other error passes through.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

MISSING_OPERATORS = "operator torchvision::nms does not exist"

# The definitions last as long as the Library object.
_libraries: list[Any] = []


class _RetryingLoader(Loader):
    """Run torchvision's own loader, twice if the operators turn out to be missing."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # torchvision's data files are found through its own loader.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        try:
            self._loader.exec_module(module)
        except RuntimeError as error:
            if str(error) != MISSING_OPERATORS:
                raise
            _define_operators()
            self._loader.exec_module(module)


class _Finder(MetaPathFinder):
    """Wrap the loader of the top-level torchvision package; find nothing else."""

    def __init__(self) -> None:
        self._searching = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "torchvision" or self._searching:
            return None
        self._searching = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._searching = False
        if spec is not None and spec.loader is not None:
            spec.loader = _RetryingLoader(spec.loader)
        return spec


def install() -> None:
    """Put the guard before the other import finders; a second call does nothing."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def site_folder() -> Path:
    """Return a folder for ``PYTHONPATH`` whose ``sitecustomize.py`` installs the guard.

    It is for processes that other tools start (MLflow's servers and requirement checks), where no
    line of ours runs before torchvision is imported.
    """
    return Path(__file__).parent / "site"


def _define_operators() -> None:
    import torch

    library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _libraries.append(library)
