"""The study of the network from scratch at its quick size, and its parts by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plumbline.params.feedforward import FeedforwardStudy
from plumbline.studies.feedforward import scratch
from plumbline.studies.feedforward.claims.scratch import STUDY
from plumbline.studies.feedforward.numpy_network.activations import ACTIVATIONS
from plumbline.studies.feedforward.numpy_network.heads import HEADS
from plumbline.studies.framework.verdicts import judge
from tests.studies.feedforward.long_rows import values


@pytest.fixture(scope="module")
def rows(quick: FeedforwardStudy) -> pd.DataFrame:
    return scratch.run(quick.scratch, 42, lambda done, total, text: None)


def test_no_setting_stands_twice_with_one_seed(rows: pd.DataFrame) -> None:
    assert not rows.duplicated(list(scratch.COLUMNS[:6])).any()
    assert rows["value"].notna().all()


def test_the_worked_example_has_the_digits_of_the_chapter(rows: pd.DataFrame) -> None:
    # h = σ(1), ŷ = h: ∂L/∂w2 = 2 (h - 1) h and ∂L/∂w1 = 2 (h - 1) h (1 - h) · 2.
    h = 1 / (1 + np.exp(-1.0))
    second, first = 2 * (h - 1) * h, 4 * (h - 1) * h * (1 - h)
    expected = {
        "∂L/∂w2": second, "∂L/∂w1": first, "new w2": 1 - 0.01 * second, "new w1": 0.5 - 0.01 * first
    }  # fmt: skip
    for case, number in expected.items():
        at = {"part": "worked example", "case": case}
        assert values(rows, measure="exact", **at).unique() == pytest.approx(number, abs=1e-15)
        assert (values(rows, measure="cut", **at) == 1).all()
        rounded = values(rows, measure="rounded", **at)
        assert (rounded == (0 if case == "∂L/∂w1" else 1)).all()


def test_gradients_are_those_of_autograd_and_of_differences(rows: pd.DataFrame) -> None:
    checked = rows[(rows["part"] == "gradients") & (rows["case"] != "worst of all")]
    assert checked["case"].nunique() == len(ACTIVATIONS) * len(HEADS)
    assert values(checked, arm="autograd").max() < 1e-13
    assert values(checked, arm="finite differences").max() < 1e-8
    worst = values(rows, case="worst of all", arm="autograd")
    assert worst.max() == values(checked, arm="autograd").max()
    compared, left_out = (
        values(rows, part="differences", measure=measure).sum()
        for measure in ("compared", "left out")
    )
    assert left_out < 0.002 * compared


@pytest.mark.parametrize(
    ("seed", "left_out"),
    [
        (26, False),  # without activation: probabilities near 1, unless the output layer is scaled
        (85, True),  # a step crosses the kink of an activation
    ],
)
def test_extreme_losses_and_kinks_are_no_errors_of_the_gradient(
    quick: FeedforwardStudy, seed: int, left_out: bool
) -> None:
    options = quick.scratch.model_copy(update={"checked_hidden": (5, 4, 3)})
    found = pd.DataFrame(scratch.gradient_errors(options, [seed]), columns=list(scratch.COLUMNS))
    assert values(found, part="gradients").max() < 1e-8
    assert (values(found, measure="left out").item() > 0) == left_out


def test_the_network_learns_iris_as_well_as_logistic_regression(rows: pd.DataFrame) -> None:
    for part in ("chapter's split", "redrawn splits"):
        at = {"part": part, "measure": "accuracy"}
        assert values(rows, arm="network", **at).mean() > 0.9
        np.testing.assert_allclose(values(rows, arm="majority class", **at), 1 / 3)
    cases = rows[(rows["part"] == "redrawn splits") & (rows["measure"] == "cases")]
    assert (cases.groupby("seed")["value"].sum() == 30).all()
    right = cases["case"].str.match(r"(\d) as \1$")
    accuracy = cases[right].groupby("seed")["value"].sum() / 30
    expected = values(rows, part="redrawn splits", arm="network", measure="accuracy")
    assert accuracy.tolist() == pytest.approx(expected.tolist())


def test_weights_are_those_of_torch_and_lightning(rows: pd.DataFrame) -> None:
    for arm in ("torch", "Lightning"):
        assert 0 < values(rows, part="three libraries", arm=arm).max() < 1e-12


def test_each_mode_needs_passes_by_its_own_side(rows: pd.DataFrame) -> None:
    for grows, cheap, dear in (
        ("parameters", "reverse", "forward"), ("outputs", "forward", "reverse"),
    ):  # fmt: skip
        for arm, exponent in ((cheap, 0), (dear, 1)):
            own = rows[(rows["case"] == f"growing {grows}") & (rows["arm"] == arm)]
            costs = own.groupby("size")["value"].first()
            slope = np.polyfit(np.log(costs.index), np.log(costs), 1)[0]
            assert slope == pytest.approx(exponent, abs=0.1)
    assert values(rows, part="modes", measure="difference").max() < 1e-12


def test_counted_operations_are_those_of_the_products(rows: pd.DataFrame) -> None:
    # Of 8 inputs, width 4 and one output an evaluation has 8·4 + 4·4 + 4 products. A pass forward
    # has those of the values, and of their changes by either factor. The way back has 4 by the
    # read-out, 16 for the second weights, 16 to the layer below, 32 for the first weights.
    one = 8 * 4 + 4 * 4 + 4
    at = {"case": "growing parameters", "measure": "cost", "size": 8 * 4 + 4 * 4}
    forward, reverse = (values(rows, arm=arm, **at).iloc[0] for arm in ("forward", "reverse"))
    assert forward == pytest.approx(48 * 3)
    assert reverse == pytest.approx((one + 4 + 16 + 16 + 32) / one)


def test_verdicts_on_the_chapter(rows: pd.DataFrame) -> None:
    judged = judge([(claim, rows) for claim in STUDY.claims], confidence=0.95)
    found = {c.id: v["verdict"] for c, v in zip(STUDY.claims, judged, strict=True)}
    assert found.pop("printed_rounded") == "refuted"
    undecided = {found.pop("iris_logistic"), found.pop("iris_logistic_loss")}
    assert undecided <= {"supported", "refuted", "undecided"}
    assert set(found.values()) == {"supported"}


def test_figures_and_tables_are_of_the_rows(rows: pd.DataFrame, quick: FeedforwardStudy) -> None:
    drawn = STUDY.figures(rows)
    assert drawn == STUDY.figures(rows)
    assert "logistic regression" in drawn["accuracy.svg"]
    assert STUDY.tables is not None
    found = STUDY.tables(rows)
    assert found["Worked example"]["case"].tolist() == list(scratch.PRINTED)
    confusion = found["Confusion matrix, summed over the new splits"]
    assert confusion.drop(columns="species").to_numpy().sum() == 30 * quick.scratch.seeds
