"""The control of the laboratory: two equal settings, and a claim that is deliberately false."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumbline.studies.feedforward.claims import _figures
from plumbline.studies.framework.claims import Claim, Difference
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

_TEN, _AGAIN, _ONE = "ten units", "ten units again", "one unit"
_NAMES = {
    _TEN: "ten hidden units",
    _AGAIN: "ten hidden units from other seeds",
    _ONE: "one hidden unit",
}


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw the loss of every seed."""
    losses = {shown: list(rows.loc[rows["network"] == at, "loss"]) for at, shown in _NAMES.items()}
    return {"losses.svg": _figures.dots(losses, "training loss, nats")}


STUDY = Study(
    name="control",
    lab="feedforward",
    title="Control: equal settings, and a false claim",
    exercises=("E15",),
    question="Does the laboratory find an effect where there is none?",
    claims=(
        Claim(
            "equal_settings", "E15",
            "On Iris, ten hidden units have a higher training loss than ten from other seeds.",
            Difference("loss", {"network": _TEN}, {"network": _AGAIN}),
            "more", 0.01, is_control=True,
        ),
        Claim(
            "one_unit", "E15",
            "One hidden unit reaches a lower training loss on Iris than ten.",
            Difference("loss", {"network": _ONE}, {"network": _TEN}),
            "less", 0.01, is_false=True,
        ),
    ),
    figures=figures,
    captions={"losses.svg": "Training loss on Iris: a dot per seed, and the mean as a bar."},
    terms={"loss": "training loss, nats", "network": _NAMES},
    notes=(
        "The first claim compares two equal settings: *supported* would be a false alarm. The "
        "second one is known to be false: it must come out *refuted*.",
    ),
)  # fmt: skip
