"""The control of the laboratory on real fits: seeds drawn at random give no winner."""

import numpy as np
import pandas as pd
import pytest

from plumbline.studies.feedforward import control
from plumbline.studies.framework import study
from plumbline.studies.framework.claims import Claim, Difference
from plumbline.studies.framework.verdicts import judge

STUDY = study.of_lab("feedforward")["control"]


@pytest.fixture(scope="module")
def losses():
    """The training loss of 64 equal networks."""
    x, y = control.iris()
    return np.array(
        [control.fit(x, y, units=10, lr=0.1, epochs=1000, seed=seed)[0] for seed in range(64)]
    )


@pytest.mark.parametrize(("relevant", "most"), [(None, 10), (0.0, 20)])
def test_two_halves_of_equal_networks_give_a_winner_in_at_most_5_percent_of_200(
    losses, relevant, most
):
    """Each repetition draws two settings of 16 seeds from the pool; either side may win.

    Without a smallest relevant effect a share of 5 % is expected: 20 is its 99.9 % quantile.
    """
    first, second = {"network": "ten units"}, {"network": "ten units again"}
    (own,) = (claim for claim in STUDY.claims if claim.is_control)
    assert own.contrast == Difference("loss", first, second)
    margin = own.relevant if relevant is None else relevant
    claims = [
        Claim("a", "E15", "", Difference("loss", *sides), "more", margin)
        for sides in ((first, second), (second, first))
    ]
    won = 0
    for repetition in range(200):
        drawn = np.random.default_rng([1, repetition]).permutation(losses)[:32]
        table = pd.DataFrame({
            "network": ["ten units"] * 16 + ["ten units again"] * 16,
            "seed": [*range(16)] * 2, "loss": drawn,
        })  # fmt: skip
        found = judge([(claim, table) for claim in claims], confidence=0.95)
        won += any(each["verdict"] == "supported" for each in found)
    assert won <= most


def test_rows_have_every_setting_with_its_own_starts():
    options = type("Options", (), {"seeds": 2, "epochs": 5, "lr": 0.1})
    steps = []
    rows = control.run(options, 7, lambda *step: steps.append(step))
    assert rows["network"].value_counts().to_dict() == dict.fromkeys(control.UNITS, 2)
    assert rows["loss"].nunique() == 6
    assert [step[:2] for step in steps] == [(1, 2), (2, 2)]
    pd.testing.assert_frame_equal(rows, control.run(options, 7, lambda *step: None))
