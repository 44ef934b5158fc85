"""The files of a judged study: names of data are escaped, undefined values said."""

import numpy as np
import pandas as pd

from plumbline import artifacts
from plumbline.studies.framework import pages
from plumbline.studies.framework.claims import Claim, Difference, Value
from plumbline.studies.framework.study import Study

ROWS = pd.DataFrame(
    [(net, seed, loss) for net, losses in (("a", [2, 4, 6, 10]), ("<b>", [1, 2, 3, 4]))
     for seed, loss in enumerate(losses)],
    columns=["net", "seed", "loss"],
)  # fmt: skip
STUDY = Study(
    "toy", "lab", "A toy", ("E13", "E4"), "Which net is better?",
    (
        Claim("gap", "E13", "a | loses more.", Difference("loss", {"net": "a"}, {"net": "<b>"}),
              "more", 8.0, is_false=True),
        Claim("all", "E4", "All lose.", Value("loss", {"net": "a"}), "more", 0.0, every_seed=True),
        Claim("none", "E4", "None lose.", Value("loss", {"net": "c"}), "less", 0, is_control=True),
    ),
    figures=lambda rows: {"losses_by_net.svg": "<svg/>"},
    captions={"losses_by_net.svg": "Loss of a and <b>."},
    terms={"loss": "training loss", "net": {"": "network", "a": "A"}},
    notes=("A *note*.",),
    tables=lambda rows: {"Losses": rows[rows["seed"] == 0].assign(more=[np.nan, 0.25])},
)  # fmt: skip


def judged():
    return pages.judge_studies({"toy": STUDY}, {"toy": ROWS}, confidence=0.95)


def test_claims_json_holds_statement_effect_and_verdict(tmp_path):
    document = judged()["toy"]
    pages.write_study(STUDY, ROWS, document, lambda at: tmp_path / at)
    found = artifacts.read_json(tmp_path / "claims.json")
    assert found["judged_together"] == 1  # the others have no test
    assert found["exercises"]["E4"]["title"] == "Difficulties of training very deep networks"
    gap, every, none = found["claims"]
    assert (gap["verdict"], gap["estimate"], gap["claimed"]) == ("refuted", 3, "> 8")
    assert gap["effect"] == "training loss: A minus <b>"
    assert gap["contrast"] == {
        "kind": "Difference", "metric": "loss", "first": {"net": "a"}, "second": {"net": "<b>"},
        "log": False,
    }  # fmt: skip
    assert found["figures"] == {"losses_by_net.svg": "Loss of a and <b>."}
    assert (every["verdict"], every["low"], every["high"], every["p"]) == ("supported", 2, 10, None)
    assert (none["verdict"], none["estimate"], none["seeds"]) == ("undecided", None, 0)
    assert (tmp_path / "figures/losses_by_net.svg").read_text() == "<svg/>"


def test_the_page_shows_claims_figures_tables_notes_and_questions(tmp_path):
    pages.write_study(STUDY, ROWS, judged()["toy"], lambda at: tmp_path / at)
    lines = (tmp_path / "README.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# A toy"
    # 3 ± 3.182446 · sqrt(14/12)
    assert (
        r"| E13 | a \| loses more. *(deliberately false)* | training loss: A minus &lt;b&gt; | "
        r"&gt; 8 | 3.000 [-0.437, 6.437] | 4 | **refuted** |"
    ) in lines
    assert (
        "| E4 | None lose. *(A/A control)* | training loss (c) | &lt; 0 | undefined | 0 | "
        "**undecided** (not measured at this size) |"
    ) in lines
    assert "![losses by net](figures/losses_by_net.svg)" in lines
    assert "*Loss of a and &lt;b&gt;.*" in lines
    assert "## Losses" in lines
    assert "| network | seed | training loss | more |" in lines
    assert "| A | 0 | 2 | undefined |" in lines
    assert "A *note*." in lines
    assert lines[-1].startswith("E4. Residual connections help")
