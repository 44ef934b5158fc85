from __future__ import annotations

from tests.training.conftest import trainer_params  # it imports ours before a test does Lightning

__all__ = ["trainer_params"]
