"""Parameters of the laboratory at its quick size."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.params.apply import load_sized
from plumbline.params.feedforward import FeedforwardStudy

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def quick() -> FeedforwardStudy:
    """Return the parameters that tests and a first look run with."""
    found = load_sized(ROOT, "feedforward", "quick")
    assert isinstance(found, FeedforwardStudy)
    return found
