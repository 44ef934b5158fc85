"""Studies and laboratories are found by name, and faults of a study are named."""

import pytest

from plumbline.errors import CatalogError
from plumbline.studies.framework import study
from plumbline.studies.framework.claims import Claim, Value


def build(*claims):
    return study.Study("toy", "lab", "Toy", ("E13",), "Why?", claims, figures=lambda rows: {})


def claim(name, exercise="E13"):
    return Claim(name, exercise, "It is so.", Value("loss", {}), "more", 0.0)


def test_a_laboratory_is_a_package_with_claims():
    assert "feedforward" in study.labs()
    assert "control" in study.of_lab("feedforward")
    assert study.of_lab("feedforward")["control"].folder.as_posix() == (
        "reports/studies/feedforward/control"
    )
    with pytest.raises(CatalogError) as caught:
        study.of_lab("alchemy")
    assert str(caught.value) == (
        f"study: laboratory must be one of {', '.join(study.labs())}, got 'alchemy'"
    )


def test_claims_have_ids_of_their_own_and_exercises_of_their_study():
    assert build(claim("a"), claim("b")).claims[1].id == "b"
    for claims, told in (
        ([claim("a"), claim("a")], "got a, a on its exercises"),
        ([claim("a", "E1"), claim("b")], "got a, b on E1"),
    ):
        with pytest.raises(CatalogError) as caught:
            build(*claims)
        assert str(caught.value) == (
            f"lab/toy: claims must have different ids and exercises of the study, {told}"
        )
