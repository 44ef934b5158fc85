import json

import pytest

from plumbline.artifacts import traces
from plumbline.verify import divergence
from plumbline.verify.divergence import Difference, DifferingKind


def content(step: int, **changes) -> dict:
    return {
        "fit": "fit",
        "step": step,
        "rates": [(0.5).hex()] if step > 1 else [],
        "weights": {"body": f"w{step}", "head": f"v{step}"},
        "samples": [step, step + 1],
        "inputs": ["x", "y"],
        "random": "r",
        "loss": {"loss": (1 / step).hex()},
        "gradient": {"head": ["g", (2.0).hex()], "body": ["h", (3.0).hex()]},
        "gradient_norm": (1.0).hex(),
        **changes,
    }


def fit(*contents: dict) -> dict:
    chain, lines = traces.START, []
    for row in contents:
        text, chain = traces.encode(chain, row)
        lines.append(json.loads(text))
    return {"fit": lines}


STRAIGHT = fit(*map(content, range(1, 10)))


@pytest.mark.parametrize("step", [1, 2, 5, 9])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"weights": {"body": "w", "head": "other"}}, "weights"),
        ({"samples": [8, 8]}, "samples"),
        ({"inputs": ["x", "z"]}, "inputs"),
        ({"random": "s"}, "random"),
        ({"loss": {"loss": (0.3).hex()}}, "loss"),
        ({"gradient": {"head": ["g", (2.0).hex()], "body": ["i", (3.0).hex()]}}, "gradient"),
        ({"inputs": [], "loss": {"loss": (0.3).hex()}}, "inputs"),
        ({"rates": [(0.3).hex()], "samples": []}, "samples"),
    ],
)
def test_the_first_step_and_the_first_cause_are_found_whatever_follows(step, changes, expected):
    changed = fit(*(content(n, **changes) if n >= step else content(n) for n in range(1, 10)))
    found = divergence.first_divergence(STRAIGHT, changed)
    assert (found.step, found.cause.name) == (step, expected)


def test_equal_traces_are_equal():
    assert divergence.first_divergence(STRAIGHT, STRAIGHT) is None
    assert divergence.as_dict(None) == {"equal": True}


def test_a_longer_trace_is_called_longer():
    found = divergence.first_divergence(STRAIGHT, {"fit": STRAIGHT["fit"][:4]})
    assert (found.step, found.cause.name) == (5, "length")
    assert divergence.describe(found) == (
        "fit 'fit': equal for 4 steps, then one goes on: 9 and 4 steps"
    )
    missing = divergence.first_divergence({**STRAIGHT, "full": STRAIGHT["fit"]}, STRAIGHT)
    assert (missing.fit, missing.step, missing.cause.name) == ("full", 1, "length")


def test_gradients_name_the_layer_nearest_the_loss_first_and_both_values():
    other = {"head": ["k", (2.5).hex()], "body": ["i", (3.0).hex()]}
    found = divergence.first_divergence(STRAIGHT, fit(content(1, gradient=other)))
    assert found.cause == DifferingKind(
        "gradient",
        (
            Difference(
                "head", "g, norm 2 (0x1.0000000000000p+1)", "k, norm 2.5 (0x1.4000000000000p+1)"
            ),
            Difference(
                "body", "h, norm 3 (0x1.8000000000000p+1)", "i, norm 3 (0x1.8000000000000p+1)"
            ),
        ),
        2,
    )
    assert divergence.describe(found).endswith("the one nearest the loss first: head, body")


def test_weights_that_part_after_equal_gradients_are_laid_to_the_update():
    other = fit(content(1), content(2, rates=[(0.25).hex()], weights={"body": "w2", "head": "z"}))
    found = divergence.first_divergence(STRAIGHT, other)
    assert divergence.describe(found) == (
        "fit 'fit', step 2: weights before the step differ in 1 of 2 layers: head; all that step 1 "
        "saw and computed agrees, its update does not; so did the learning rate of the update "
        "before it"
    )
    assert found.kinds[1].name == "rates"


def test_a_layer_of_one_network_only_is_a_difference():
    found = divergence.first_divergence(STRAIGHT, fit(content(1, weights={"body": "w1"})))
    assert found.cause.differences == (Difference("head", "v1", "–"),)


def test_a_divergence_is_json():
    found = divergence.first_divergence(STRAIGHT, fit(content(1, samples=[1, 7])))
    told = json.loads(json.dumps(divergence.as_dict(found)))
    assert (told["equal"], told["step"], told["cause"]) == (False, 1, "samples")
    assert told["kinds"] == [
        {"name": "samples", "of": 2, "differences": [{"name": "1", "first": "2", "second": "7"}]}
    ]
