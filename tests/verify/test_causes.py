"""Causes of different outputs, of a stage and of those upstream."""

import pytest

from plumbline.runs.dvc_files import LockEntry
from plumbline.verify import causes
from plumbline.verify.causes import Cause

PORTABLE, NATIVE = "portable x86-64-v3", "native AuthenticAMD avx2"
MADE = ("data/m", "reports/r.json")


def lock(*, code="c", packages="p", seed=1, kernels=PORTABLE, model="1", report="1", cmd="train"):
    """Two stages: one makes a model, the other a report of it."""
    return {
        "train": LockEntry(
            cmd, {"code": code, "requirements.lock": packages},
            {"seed": seed, "kernels": kernels}, {"data/m": model},
        ),
        "report": LockEntry("report", {"data/m": model}, {"kernels": kernels},
                            {"reports/r.json": report}),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "train", "report"),
    [
        ({}, causes.NONE, causes.NONE),
        ({"model": "2", "report": "2"}, causes.NONE, causes.NONE),
        ({"code": "d", "model": "2", "report": "2"}, causes.SOURCES, causes.SOURCES),
        ({"seed": 2, "model": "2", "report": "2"}, causes.SOURCES, causes.SOURCES),
        ({"cmd": "other", "model": "2", "report": "2"}, causes.SOURCES, causes.SOURCES),
        ({"packages": "q", "model": "2", "report": "2"}, causes.PACKAGES, causes.PACKAGES),
        # The code changed, the model did not: no cause for another report.
        ({"code": "d", "report": "2"}, causes.SOURCES, causes.NONE),
        ({"kernels": NATIVE, "model": "2", "report": "2"}, causes.MACHINE, causes.MACHINE),
        ({"kernels": NATIVE, "code": "d", "model": "2"}, causes.SOURCES, causes.SOURCES),
    ],
)
def test_a_cause_is_the_stage_s_own_or_that_of_the_maker_of_changed_inputs(change, train, report):
    found = causes.find(lock(), lock(**change), MADE, {})
    assert {name: cause.kind for name, cause in found.items()} == {
        "train": train,
        "report": report,
    }


def test_how_machines_differ_is_said_beside_every_cause():
    new = lock(code="d", kernels=NATIVE, model="2")
    found = causes.find(lock(), new, MADE, {"train": "python 3.11 against 3.12"})
    note = "native kernels, python 3.11 against 3.12"
    assert found == {
        "train": Cause(causes.SOURCES, note),
        "report": Cause(causes.SOURCES, "native kernels"),
    }


def test_a_downstream_stage_has_the_note_of_the_machine_that_made_its_input():
    new = lock(model="2")
    new["train"].params["kernels"] = NATIVE
    found = causes.find(lock(), new, MADE, {})
    assert found["report"] == Cause(causes.MACHINE, "native kernels")


def test_an_input_that_was_made_before_the_two_locks_is_other_data():
    old, new = lock(), lock(model="2")
    found = causes.find({"report": old["report"]}, {"report": new["report"]}, MADE, {})
    assert found == {"report": Cause(causes.SOURCES)}


def test_folders_above_and_below_an_output_are_made():
    assert causes.is_made("data/m/weights", MADE)
    assert causes.is_made("data", MADE)
    assert not causes.is_made("data/more", MADE)
