"""The catalogue: unknown names, faulty entries and functions are refused with what is known."""

import pytest
import yaml

from plumbline import catalog
from plumbline.errors import CatalogError


@pytest.fixture
def raw(root):
    return yaml.safe_load((root / "src/plumbline/catalog.yaml").read_text(encoding="utf-8"))


def fault(function, *arguments):
    with pytest.raises(CatalogError) as caught:
        function(*arguments)
    return str(caught.value)


def test_an_unknown_model_or_data_set_is_refused_with_the_known_ones():
    models, datasets = ", ".join(catalog.models()), ", ".join(catalog.datasets())
    assert fault(catalog.model, "fmm") == (f"catalog: model must be one of {models}, got 'fmm'")
    assert fault(catalog.dataset, "sound") == (
        f"catalog: data set must be one of {datasets}, got 'sound'"
    )


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("dataset", "sound", "dataset must be one of tabular, text, images, glyphs, got 'sound'"),
        ("needs", ["ngrams"], "needs must name models of the catalogue, got 'ngrams'"),
        ("start", "nobody", "start must name models of the catalogue, got 'nobody'"),
        ("baseline", "nobody", "baseline must name models of the catalogue, got 'nobody'"),
    ],
)
def test_an_entry_that_names_what_is_not_listed_is_refused(raw, key, value, message):
    raw["models"]["rnn"][key] = value
    assert fault(catalog.parse, raw) == f"catalog: models.rnn.{message}"


def test_an_entry_with_another_field_or_without_one_is_refused(raw):
    raw["models"]["rnn"]["colour"] = "red"
    assert fault(catalog.parse, raw).startswith("catalog: models.rnn must have fields of ")
    del raw["models"]["rnn"]["colour"], raw["models"]["rnn"]["fit"]
    assert fault(catalog.parse, raw) == "catalog: models.rnn must have 'fit', got none"


@pytest.mark.parametrize("address", ["plumbline.nothing:fit", "plumbline.names:fit", "fit", ""])
def test_an_address_without_a_function_is_refused(address):
    assert fault(catalog.load, address) == (
        f"catalog: function must be module:function of an importable module, got {address!r}"
    )


def test_every_function_of_the_catalogue_exists():
    for spec in catalog.models().values():
        for address in filter(None, (spec.fit, spec.predict, spec.sample, spec.check)):
            assert callable(catalog.load(address)), address
    for data in catalog.datasets().values():
        assert callable(catalog.load(data.prepare))
