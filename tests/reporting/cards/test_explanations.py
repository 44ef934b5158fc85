"""The part of a card on attributions: every number is a reference, and the caveat stands beside."""

from __future__ import annotations

import shutil

import pytest

from plumbline import artifacts
from plumbline.reporting.cards.card import render_card
from plumbline.reporting.cards.check import check_cards
from plumbline.reporting.cards.explanations import CAVEAT

OWNER = {"owner": "an owner", "contact": "the tracker", "licence": "apache-2.0"}
ABOUT = {"method": "integrated_gradients", "output": "log-odds of above_median",
         "baseline": "the mean training row", "rows": 64, "of_rows": 89}  # fmt: skip
FEATURES = [
    {"feature": "s5", "mean_absolute": 0.75, "low": 0.5, "high": 1.0, "mean": -0.25},
    {"feature": "a|b", "mean_absolute": 0.5, "low": None, "high": None, "mean": 0.125},
]
RANDOMISED = {"mean": -0.125, "lowest": -0.25, "highest": 0.0625, "draws": 3}


@pytest.fixture
def card(tree, tmp_path):
    ignore = shutil.ignore_patterns("*.parquet", "*.npy", "*.npz")
    root = shutil.copytree(tree, tmp_path / "copy", ignore=ignore)

    def render(found):
        path = root / "reports/metrics/fnn.json"
        metrics = artifacts.read_json(path)
        metrics.pop("explanation", None)
        artifacts.write_json(path, {**metrics, **({"explanation": found} if found else {})})
        text, references = render_card("fnn", root=root, **OWNER)
        written = root / "reports/cards/fnn.md"
        artifacts.write_text(written, text)
        artifacts.write_json(written.with_suffix(".refs.json"), references)
        assert check_cards(root, [written])[1] == []
        return text, {entry["key"] for entry in references}

    return render


def test_features_have_their_interval_and_sign_and_the_check_stands_beside(card):
    text, keys = card({**ABOUT, "features": FEATURES, "randomised": RANDOMISED})
    start = text.index("## What the outputs depend on")
    lead, check, caveat = text[start:].split("\n\n")[1:4]
    assert lead == (
        "Attributions (integrated gradients, from the mean training row) of the log-odds of "
        "above\\_median on 64 of 89 test rows: mean absolute attribution, the largest first: s5 "
        "0.750 [0.500, 1.000], on average lowers it; a\\|b 0.500, on average raises it."
    )
    assert check == (
        "Check: with new weights, attributions of a row have a rank correlation of -0.125 with "
        "those of the trained network (-0.250 to 0.062 in 3 draws). Near 1 they would not depend "
        "on what was learnt."
    )
    assert caveat == f"{CAVEAT} `plumbline explain fnn` explains single rows."
    assert {f"explanation.features.0.{key}" for key in ("mean_absolute", "low", "high")} <= keys
    assert {"explanation.rows", "explanation.randomised.mean"} <= keys


def test_pictures_have_the_share_of_the_middle(card):
    text, _ = card(
        {**ABOUT, "centre": {"mean": 0.25, "low": 0.125, "high": 0.375, "evenly": 0.0625}}
    )
    assert (
        "test rows: 0.250 [0.125, 0.375] of the absolute attribution is in the middle of three "
        "by three parts of the picture, 0.062 if it were spread evenly."
    ) in text
    assert "Check: with new weights" not in text


def test_a_model_without_attributions_has_no_section(card):
    assert "What the outputs depend on" not in card(None)[0]
