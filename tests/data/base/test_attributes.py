"""Names that no attribute may have, the same for tables, texts and images."""

from dataclasses import replace
from typing import get_args

import pandas as pd
import pytest
from pydantic import ValidationError

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.data.images.prepare import images_from_raw
from plumbline.data.images.sources import digits
from plumbline.data.pixels.moments import MEASURES
from plumbline.errors import DataError
from plumbline.params import load
from plumbline.params.own_data import FolderImages, TextFile
from tests.conftest import ROOT
from tests.data.folders import own_folder
from tests.data.table_files import ABOUT, parameters, prepare, write_csv

TAKEN = [
    "sample_id", "split", "y", "y_true", "y_pred", "entity", "sample_weight", "labelled", "text",
    "document_id", "characters", "nll", "nll_mixture", "containment", "overall", "seen_class", "*",
    "sex×age", "×",
]  # fmt: skip
RULE = (
    "an attribute must not be named {!r}, which has a meaning of its own in prepared data, "
    "predictions or audits; rename the column"
)


def of_table(name):
    return tuple(parameters(attributes={name: ()}).csv.attributes)


def of_text(name):
    facts = {"path": "a", "sha256": "0" * 64, "encoding": "utf-8", "about": ABOUT}
    form = {"format": "csv", "separator": "\n", "text": "body", "attribute": name}
    return (TextFile.model_validate({**facts, **form}).attribute,)


def of_images(*attributes):
    columns = {**own_folder().columns.model_dump(), "attributes": attributes}
    return own_folder(table="a.csv", columns=columns).columns.attributes


KINDS = {"table": of_table, "text": of_text, "images": of_images}


def refused(kind, *attributes):
    with pytest.raises(ValidationError) as caught:
        KINDS[kind](*attributes)
    (error,) = caught.value.errors()
    return str(error["ctx"]["error"])


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("kind", KINDS)
def test_a_name_with_a_meaning_of_its_own_is_refused_in_the_parameters(kind, name):
    assert refused(kind, name) == RULE.format(name)


@pytest.mark.parametrize("name", ["sex", "Overall", "Y", "splits", "score", "all", "unknown", "x"])
@pytest.mark.parametrize("kind", KINDS)
def test_other_names_are_free(kind, name):
    assert KINDS[kind](name) == (name,)


def test_a_column_of_images_is_not_named_like_a_measure_of_their_pixels():
    """Its groups would be described as thirds of the measure, and thirds are compared with it."""
    assert set(MEASURES) == set(names.IMAGE_MEASURES)
    (allowed, _) = get_args(FolderImages.model_fields["measured"].annotation)
    assert get_args(allowed) == names.IMAGE_MEASURES
    for name in MEASURES:
        assert refused("images", name) == RULE.format(name)
        assert of_table(name) == of_text(name) == (name,)


def test_an_attribute_of_images_is_named_once():
    assert refused("images", "sex", "age", "sex") == (
        "an attribute must be named once, got 'sex' more than once"
    )


def columns_of(kind, attribute, classes=()):
    table = pd.DataFrame(columns=[names.ENTITY, names.WEIGHT, names.CONTAINMENT, names.MIXTURE_NLL])
    found = Predictions(table, "m", kind, "d", "s", tuple(classes), None, (attribute,))
    return found.columns()[:-1]


@pytest.mark.parametrize("kind", names.KINDS)
def test_no_column_of_predictions_is_free_for_an_attribute(kind):
    classes = ("no", "yes")
    for column in columns_of(kind, "sex", classes):
        assert names.is_taken(column, classes), column


def test_an_attribute_is_not_named_like_the_score_of_a_class(tmp_path):
    rows = {
        "age": [20 + k % 40 for k in range(80)],
        "score_yes": ["f" if k % 2 else "m" for k in range(80)],
        "score_band": ["low" if k % 3 else "high" for k in range(80)],
        "y": ["yes" if k * k % 7 < 3 else "no" for k in range(80)],
    }
    write_csv(tmp_path, rows)
    with pytest.raises(DataError) as caught:
        prepare(tmp_path, parameters(features=["age"], attributes={"score_yes": ()}))
    assert str(caught.value) == f"csv: {RULE.format('score_yes')}"
    _, schema = prepare(tmp_path, parameters(features=["age"], attributes={"score_band": ()}))
    assert schema.attributes == ("score_band",)


def test_images_are_not_grouped_by_the_score_of_a_class():
    block = load(ROOT).data_images
    raw = digits(block, ROOT)
    for name in ("score_7", "split"):
        groups = pd.DataFrame({name: ["a"] * len(raw.ids)})
        with pytest.raises(DataError) as caught:
            images_from_raw(replace(raw, groups=groups), parameters=block)
        assert str(caught.value) == f"digits: {RULE.format(name)}"
