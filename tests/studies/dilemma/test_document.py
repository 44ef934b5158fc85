"""The page of the dilemma says what its numbers say."""

import re

import numpy as np
import pandas as pd
import pytest

from plumbline import artifacts
from plumbline.metrics.groups.contingency import table_to_contingency
from plumbline.metrics.intervals.resampling import Resampling
from plumbline.studies.dilemma import document as dilemma
from plumbline.studies.dilemma.document import audits_impossibility, dilemma_to_markdown
from plumbline.studies.dilemma.hiring import hiring_options


def audit(a, b, attribute="sex"):
    counts = [
        {"attribute": attribute, "group": name, "class": None, "n": sum(cells),
         **dict(zip(("tp", "fp", "tn", "fn"), cells, strict=True))}
        for name, cells in (("A|", a), ("B", b))
    ]  # fmt: skip
    return {"attributes": [attribute], "counts": counts}


def document(*audits):
    found = {
        "hiring": hiring_options(
            overall_accuracy=0.85, minority_accuracy=0.7, minority_share=0.2, qualified_share=0.4,
            candidates=1000, confidence=0.95,
        ),
        "impossibility": audits_impossibility(
            dict(enumerate(audits)), Resampling(0.95, 200, 0)
        ),
    }  # fmt: skip
    return artifacts.plain(found)


def page(*audits):
    return dilemma_to_markdown(document(*audits))


def test_a_perfect_prediction_is_no_exception_to_what_the_page_says():
    """Base rates of 1/2 and 1/4 with PPV 1, FNR 0 and FPR 0 in both groups."""
    text = page(audit((500, 0, 500, 0), (250, 0, 750, 0)))
    assert "at once, unless predictions are perfect (Chouldechova 2017)" in text


def test_each_option_has_its_row_and_both_sides_of_the_argument():
    text = page()
    assert "36 / 24 | 54 / 36 |" in text  # 320 and 80 qualified, 480 and 120 not, by hand
    for option in ("a", "b", "c", "c, both errors equal"):
        assert re.search(rf"\*\*{option}\*\* For: .+ Against: .+\.", text), option
    assert "No attribute has two groups" in text


@pytest.mark.parametrize(
    ("cells", "reading"),
    [
        (((400, 100, 400, 100), (160, 40, 760, 40)), "not all equalities can hold"),
        (((5, 2, 5, 3), (4, 2, 6, 3)), "these data do not show different base rates"),
        (((2, 0, 1, 1), (40, 10, 40, 10)), "Too few rows for a bounded interval"),
    ],
)
def test_the_reading_follows_the_interval(cells, reading):
    text = page(audit(*cells))
    assert reading in text
    assert r"A\|" in text


def test_a_decision_over_many_classes_has_no_table():
    many = audit((4, 1, 4, 1), (4, 1, 4, 1))
    for row in many["counts"]:
        row["class"] = "seven"
    assert "No attribute has two groups" in page(many)


@pytest.mark.parametrize(("low", "high"), [(None, None), (0.01, None), (None, -0.01)])
def test_an_interval_without_an_end_is_read_as_too_few_rows(low, high):
    # COMPAS has a group so small that one end cannot be computed.
    assert dilemma._reading({"value": 0.1, "low": low, "high": high}).startswith("Too few rows")


def test_a_model_of_weighted_rows_has_tables_of_their_weights_and_says_so():
    frame = pd.DataFrame(
        {
            "sex": ["A"] * 8 + ["B"] * 8, "y_true": [1, 1, 1, 1, 0, 0, 0, 0] * 2,
            "y_pred": [1, 1, 1, 0, 1, 0, 0, 0] * 2,
        }
    )  # fmt: skip
    weight = np.where((frame["sex"] == "A") & (frame["y_true"] == 1), 3.0, 1.0)
    counted = table_to_contingency(
        frame, attributes=["sex"], classes=["no", "yes"], positive="yes", weight=weight,
        entity=np.arange(16) // 2,
    )  # fmt: skip
    own = audit((3, 1, 3, 1), (3, 1, 3, 1)) | {"weight": 24.0, "entities": 8}
    for row, name in zip(own["counts"], "AB", strict=True):
        row["group"] = name
    (found,) = audits_impossibility(
        {"fnn": own}, Resampling(0.95, 200, 0), contingency_of=lambda _: counted
    )
    # By hand: 12 of 16 and 4 of 8 are positive.
    assert [row["base_rate"] for row in found["rows"]] == [0.75, 0.5]
    assert [row["n"] for row in found["rows"]] == [8, 8]
    text = dilemma_to_markdown(
        {"hiring": document()["hiring"], "impossibility": [artifacts.plain(found)]}
    )
    assert "Rows are weighted; n counts rows." in text
    assert "Intervals resample whole entities." in text
