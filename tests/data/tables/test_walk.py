"""The walk of docs/your-data.md: its file, its digest, its example and what comes of them."""

import re

import yaml

from plumbline import artifacts, params
from plumbline.artifacts import DatasetSchema
from plumbline.cli import main
from plumbline.data.base.sources import raw_files
from plumbline.data.tables.prepare import prepare
from plumbline.params.apply import merge


def test_the_walk_of_the_page_leads_to_prepared_data(root, tmp_path, monkeypatch, capsys):
    text = (root / "docs/your-data.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(import random\n.*?)```", text, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(script, "your-data.md", "exec"), {})
    layer = yaml.safe_load((root / "examples/csv.yaml").read_text(encoding="utf-8"))
    base = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    settings = params.check(merge(base, layer)).data_tabular

    assert main.main(["data", "check", "data/raw/mine/loans.csv"]) == 0
    assert settings.csv.sha256 in capsys.readouterr().out
    prepare(settings, seed=1).write(tmp_path / "out", raw_files=raw_files(settings))

    schema = DatasetSchema.read(tmp_path / "out")
    assert (schema.classes, schema.attributes) == (("no", "yes"), ("sex", "age"))
    assert {"income", "income_missing", "branch=1", "since_month"} < set(schema.features)
    table = artifacts.read_split_table(tmp_path / "out")
    assert len(table) == 600
    first, second = table["split"][::2].to_numpy(), table["split"][1::2].to_numpy()
    assert (first == second).all()  # two loans of a customer
