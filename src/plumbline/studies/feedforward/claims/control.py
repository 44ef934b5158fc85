"""The control of the laboratory: two equal settings, and a claim that is deliberately false."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumbline.studies.framework.claims import Claim, Difference
from plumbline.studies.framework.study import Study

if TYPE_CHECKING:
    import pandas as pd

_TEN, _AGAIN, _ONE = "ten units", "ten units again", "one unit"


def figures(rows: pd.DataFrame) -> dict[str, str]:
    """Draw the loss of every seed."""
    from plumbline.reporting.figures import style

    names = [_TEN, _AGAIN, _ONE]
    drawn, axis = style.lines(names, "loss")
    for at, (name, colour) in enumerate(zip(names, style.SERIES, strict=False)):
        losses = rows.loc[rows["network"] == name, "loss"]
        axis.plot(losses, [at] * len(losses), "o", ms=4, alpha=0.6, color=colour)
    axis.set(xlabel="training loss, nats; a point per seed")
    return {"losses.svg": style.svg(drawn)}


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
    notes=(
        "The first claim compares two equal settings: *supported* would be a false alarm. The "
        "second one is known to be false: it must come out *refuted*.",
    ),
)  # fmt: skip
