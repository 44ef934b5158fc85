"""The study of the basic network at its quick size."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plumbline.params.feedforward import FeedforwardStudy
from plumbline.studies.feedforward import basics
from plumbline.studies.feedforward.claims.basics import STUDY
from plumbline.studies.framework.verdicts import judge
from tests.studies.feedforward.long_rows import values


@pytest.fixture(scope="module")
def rows(quick: FeedforwardStudy) -> pd.DataFrame:
    return basics.run(quick.basics, 42, lambda done, total, text: None)


def test_each_setting_is_measured_once_per_seed(
    rows: pd.DataFrame, quick: FeedforwardStudy
) -> None:
    settings = rows.groupby(list(basics.COLUMNS[:5]))["seed"]
    assert (settings.nunique() == quick.basics.seeds).all()
    assert (settings.size() == quick.basics.seeds).all()
    assert rows["value"].notna().all()


def test_wider_networks_approximate_better_and_none_beats_the_best_lines_by_far(
    rows: pd.DataFrame, quick: FeedforwardStudy
) -> None:
    narrow, wide = min(quick.basics.widths), max(quick.basics.widths)
    for function in basics.FUNCTIONS:
        at = {"part": "approximation", "case": function, "arm": "network"}
        assert values(rows, size=wide, **at).mean() < 0.5 * values(rows, size=narrow, **at).mean()
        lines = values(rows, **{**at, "arm": "piecewise linear"}, size=wide)
        assert values(rows, size=wide, **at).min() > 0.8 * lines.iloc[0]


def test_linear_layers_are_one_and_layers_with_relu_are_not(rows: pd.DataFrame) -> None:
    deep = {"part": "layers", "size": 100}
    assert values(rows, measure="collapse error", **deep).max() < 1e-10
    linear = values(rows, measure="nonlinear share", arm="identity", **deep)
    assert linear.max() < 1e-20
    assert values(rows, measure="nonlinear share", arm="relu", **deep).mean() > 0.05


def test_without_activation_no_network_gets_all_of_exclusive_or(rows: pd.DataFrame) -> None:
    assert values(rows, part="exclusive or", arm="identity").max() <= 0.75
    assert values(rows, part="exclusive or", arm="relu").mean() > 0.9


def test_the_gradient_is_the_difference_but_for_squared_error(rows: pd.DataFrame) -> None:
    for head, factor in (("binary", 1), ("multi-class", 1), ("regression", 2)):
        at = {"part": "heads", "case": head}
        np.testing.assert_allclose(values(rows, measure="factor", **at), factor, atol=1e-12)
        assert values(rows, measure="error from scaled difference", **at).max() < 1e-12
    squashed = {"part": "heads", "case": "sigmoid and squared error"}
    assert values(rows, measure="error from scaled difference", **squashed).min() > 0.05


def test_verdicts_are_as_derived_for_the_claims_that_follow_from_algebra(
    rows: pd.DataFrame,
) -> None:
    judged = judge([(claim, rows) for claim in STUDY.claims], confidence=0.95)
    found = {c.id: v["verdict"] for c, v in zip(STUDY.claims, judged, strict=True)}
    assert found["linear_layers"] == found["exclusive_or"] == "supported"
    assert found["head_binary"] == found["head_multi_class"] == "supported"
    assert found["head_regression"] == found["width_never_helps"] == "refuted"
    assert found["head_regression_factor"] == "supported"


def test_figures_name_every_function_and_are_equal_for_equal_rows(rows: pd.DataFrame) -> None:
    drawn = STUDY.figures(rows)
    assert drawn == STUDY.figures(rows)
    assert all(f">{function}<" in drawn["approximation.svg"] for function in basics.FUNCTIONS)


def test_tables_have_a_row_for_each_head(rows: pd.DataFrame) -> None:
    assert STUDY.tables is not None
    heads = STUDY.tables(rows)["Gradients at the output, by autograd"]
    assert set(heads["case"]) == set(rows.loc[rows["part"] == "heads", "case"])
