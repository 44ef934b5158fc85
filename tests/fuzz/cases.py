"""What the fuzz tests share: repeatable settings, damage to bytes, and errors of one line."""

import random
from collections.abc import Callable
from typing import Any

import hypothesis
from hypothesis import strategies as st

from plumbline.errors import PlumblineError

# Few cases in `make test`, many in `make test-slow`. The same in every run, whatever ran before.
hypothesis.settings.register_profile(
    "fuzz",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate, hypothesis.Phase.shrink),
)


def examples(count: int) -> hypothesis.settings:
    """Return the settings of a test of so many cases."""
    return hypothesis.settings(hypothesis.settings.get_profile("fuzz"), max_examples=count)


def outcome(call: Callable[[], Any]) -> tuple[Any, str | None]:
    """Return what a call returns and None, or None and the one line that is meant for the user."""
    try:
        return call(), None
    except PlumblineError as error:
        told = str(error)
        assert told.strip(), "an error must say something"
        assert "\n" not in told, "an error must be one line"
        return None, told


damages = st.lists(st.randoms(use_true_random=False), min_size=1, max_size=3)


def damaged(data: bytes, draws: list[random.Random], pieces: list[bytes]) -> bytes:
    """Return bytes with something wrong with them: cut, changed, inserted, doubled, replaced."""
    for draw in draws:
        kind, place = draw.randrange(6), draw.randrange(len(data) + 1)
        if kind == 0:
            data = data[:place]
        elif kind == 1:
            data = data[:place] + bytes([draw.randrange(256)]) + data[place + 1 :]
        elif kind == 2:
            data = data[:place] + draw.choice(pieces) + data[place:]
        elif kind == 3:
            data = data[:place] + data[place // 2 :]
        elif kind == 4:
            data = data.replace(draw.choice(pieces), draw.choice(pieces), draw.randrange(1, 4))
        else:
            data = data[:place] + b"\0" * draw.randrange(1, 30) + data[place:]
    return data
