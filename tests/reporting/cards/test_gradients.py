"""The lines of a card about gradients: every number is a reference, nothing without diagnostics."""

from __future__ import annotations

import shutil

import pytest

from plumbline import artifacts
from plumbline.reporting.cards.card import render_card
from plumbline.reporting.cards.check import check_cards

OWNER = {"owner": "an owner", "contact": "the tracker", "licence": "apache-2.0"}
FIRST = {"slope": -0.845, "update_ratio": 0.25, "dead_share": None, "saturated_share": 0.0625,
         "verdict": "vanishing"}  # fmt: skip
FOUND = {
    "network": {
        "first": FIRST, "last": {**FIRST, "slope": -0.5}, "layers": 21, "verdict": "vanishing",
        "reason": "the gradient falls", "fix": "use ReLU | or fewer layers",
    },
}  # fmt: skip


@pytest.fixture
def copy(tree, tmp_path):
    ignore = shutil.ignore_patterns("*.parquet", "*.npy", "*.npz")
    return shutil.copytree(tree, tmp_path / "copy", ignore=ignore)


def card(root, found):
    path = root / "data/models/fnn/config.json"
    config = artifacts.read_json(path)
    config["facts"]["diagnostics"] = found
    artifacts.write_json(path, config)
    text, references = render_card("fnn", root=root, **OWNER)
    written = root / "reports/cards/fnn.md"
    artifacts.write_text(written, text)
    artifacts.write_json(written.with_suffix(".refs.json"), references)
    assert check_cards(root, [written])[1] == []
    return text, {(entry["key"], entry["text"]) for entry in references}


def test_the_line_gives_verdict_numbers_and_fix(copy):
    text, references = card(copy, FOUND)
    (line,) = [line for line in text.splitlines() if line.startswith("Gradient diagnostics")]
    assert line == (
        "Gradient diagnostics of the network, 21 layers: **vanishing**. Measured: the logarithm "
        "(base 10) of the gradient norm changes by -0.500 per layer towards the input in the last "
        "row of the history, -0.845 in the first; the norm of an update over that of the weights "
        "is 0.250; the largest share of saturated outputs of a layer is 0.062. Suggested fix: "
        "use ReLU \\| or fewer layers."
    )
    keys = ("last.slope", "-0.500"), ("last.update_ratio", "0.250"), ("layers", "21")
    assert {(f"facts.diagnostics.network.{key}", shown) for key, shown in keys} <= references


def test_an_explosion_has_its_batch(copy):
    found = {**FOUND["network"], "verdict": "exploding", "exploded_at": 7}
    text, references = card(copy, {"generator": found})
    assert "**exploding**. Measured: gradients exploded at batch 7; the logarithm" in text
    assert ("facts.diagnostics.generator.exploded_at", "7") in references


def test_diagnostics_are_no_settings(copy):
    text, _ = card(copy, FOUND)
    assert "diagnostics.network" not in text


def test_a_model_without_diagnostics_has_no_line(copy):
    text, _ = card(copy, {})
    assert "Gradient diagnostics" not in text
