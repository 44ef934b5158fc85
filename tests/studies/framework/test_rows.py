"""Rows of a study: a seed each, and a reason for what is undefined."""

import logging

import numpy as np
import pandas as pd
import pytest

from plumbline.errors import ArtifactError
from plumbline.studies.framework.rows import check


def table(**columns):
    return pd.DataFrame({"seed": [0, 1], "loss": [0.5, 0.4], **columns})


def test_rows_without_a_seed_are_refused():
    for bad in (table().drop(columns="seed"), table()[:0], table(seed=[0, None])):
        with pytest.raises(ArtifactError, match="lab/study: rows must have a seed each, got"):
            check(bad, "lab/study")


def test_an_undefined_value_needs_a_reason():
    with pytest.raises(ArtifactError) as caught:
        check(table(loss=[0.5, np.nan]), "lab/study")
    assert str(caught.value) == (
        "lab/study: undefined values must have a reason, got none in 1 rows; add it in the "
        "column 'reason'"
    )
    with pytest.raises(ArtifactError, match="got none in 1 rows"):
        check(table(loss=[np.nan, np.nan], reason=["diverged", None]), "lab/study")


def test_rows_with_undefined_values_are_counted_by_their_reason(caplog):
    with caplog.at_level(logging.WARNING):
        check(table(loss=[0.5, np.nan], reason=["", "diverged"]), "lab/study")
    assert caplog.messages == ["lab/study: 1 rows with undefined values: diverged"]
    caplog.clear()
    check(table(), "lab/study")
    assert caplog.messages == []
