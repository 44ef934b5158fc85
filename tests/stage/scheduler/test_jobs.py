"""The number of jobs follows the processors that this process may use."""

import pytest

from plumbline.stage.scheduler import jobs


@pytest.mark.parametrize(("threads", "expected"), [(1, 8), (2, 4), (3, 2), (16, 1)])
def test_stages_of_several_threads_share_the_processors(monkeypatch, threads, expected):
    monkeypatch.setattr(jobs, "processors", lambda: 8)
    assert jobs.default(threads) == expected
