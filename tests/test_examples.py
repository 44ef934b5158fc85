import pytest
import yaml

from plumbline import params
from plumbline.params.apply import merge
from tests.conftest import ROOT

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.yaml"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_laid_over_the_parameters_is_valid_and_changes_them(name):
    base = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    layer = yaml.safe_load((ROOT / f"examples/{name}.yaml").read_text(encoding="utf-8"))
    merged = merge(base, layer)
    assert merged != base
    params.check(merged)
