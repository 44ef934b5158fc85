"""Columns to group by, whatever they are called, in files of both formats and both commands."""

import json

import numpy as np
import pandas as pd
import pytest

from plumbline.cli import main
from plumbline.cli.options import group_columns
from plumbline.errors import DataError

ODD = ["Sex, as stated", "sex", "Sex", 'age ("band")', "race\n(Census)", "a[0]", "x'; --", " pad "]


def odd_file(folder, form):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.choice(["a", "b"], 400) for name in ODD})
    table = table.assign(y=rng.integers(2, size=400), yhat=rng.integers(2, size=400))
    path = folder / f"decisions.{form}"
    if form == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)
    return path, table


def named(names):
    return [word for name in names for word in ("--attribute", name)]


@pytest.mark.no_cover
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_every_column_can_be_named(tmp_path, capsys, form):
    path, table = odd_file(tmp_path, form)
    words = ["audit", str(path), "--label", "y", "--decision", "yhat", "--format", "json"]
    assert main.main([*words, "--intersections", "1", *named(ODD)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["attributes"] == sorted(ODD)
    for name in ODD:
        rate = table[table[name] == "a"]["yhat"].mean()
        rows = {(r["attribute"], r["group"], r["metric"]): r["value"] for r in found["rows"]}
        assert rows[name, "a", "selection_rate"] == pytest.approx(rate)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_worksheets_name_columns_in_the_same_way(tmp_path, capsys, form):
    path, _ = odd_file(tmp_path, form)
    words = ["standards", str(path), "--decision", "yhat", "--label", "y", "--attributes", "sex"]
    assert main.main([*words, "--attribute", "Sex", "--attribute", "Sex, as stated"]) == 0
    page = capsys.readouterr().out
    assert "Sex, as stated" in page
    assert "sex×Sex" in page


def test_lists_and_single_names_add_up():
    assert group_columns("audit", " sex , race,", ["a,b", " c "]) == ("sex", "race", "a,b", " c ")


def test_a_column_that_is_named_twice_is_refused():
    for listed, more in (("sex,race", ["sex"]), ("sex,sex", None), ("", ["sex", "sex"])):
        with pytest.raises(DataError) as error:
            group_columns("standards", listed, more)
        assert str(error.value) == (
            "standards: attributes must be different columns, got sex twice; name each column once"
        )


@pytest.mark.parametrize("name", ["overall", "sex×race"])
def test_a_reserved_name_is_refused_however_it_is_given(tmp_path, caplog, name):
    table = pd.DataFrame({name: ["a", "b"], "y": [0, 1], "yhat": [1, 0]})
    path = tmp_path / "decisions.csv"
    table.to_csv(path, index=False)
    words = ["audit", str(path), "--label", "y", "--decision", "yhat", "--attribute", name]
    assert main.main(words) == 3
    assert caplog.messages[-1] == (
        f"audit: an attribute must not be named {name!r}, which stands for all rows or for an "
        "intersection; rename the column"
    )


@pytest.mark.no_cover
@pytest.mark.parametrize("option", ["--favourable", "--positive"])
@pytest.mark.parametrize("given", ["True", "true", "1", "1.0"])
def test_the_favourable_value_may_be_written_in_any_way(tmp_path, capsys, option, given):
    rng = np.random.default_rng(0)
    truth = pd.DataFrame({"sex": ["f", "m"] * 50, "y": rng.random(100) < 0.5})
    truth["yhat"] = rng.random(100) < 0.4
    path = tmp_path / "decisions.csv"
    truth.to_csv(path, index=False)
    words = ["audit", str(path), "--label", "y", "--decision", "yhat", "--attributes", "sex",
             "--format", "json"]  # fmt: skip
    assert main.main([*words, option, given]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["positive"], found["favourable"]) == ("1", "1")


def test_fewer_groups_can_be_asked_for(tmp_path, capsys, caplog):
    table = pd.DataFrame({"g": [f"g{i % 9}" for i in range(900)], "y": [0, 1, 1] * 300})
    path = tmp_path / "decisions.csv"
    table.assign(yhat=table["y"]).to_csv(path, index=False)
    words = ["audit", str(path), "--label", "y", "--decision", "yhat", "--attributes", "g",
             "--format", "json"]  # fmt: skip
    assert main.main([*words, "--max-groups", "4"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {r["group"] for r in found["rows"] if r["metric"] == "accuracy"} == {
        "all",         "g0", "g1", "g2", "(6 smaller groups)",
    }  # fmt: skip
    assert main.main([*words, "--max-groups", "1"]) == 3
    assert caplog.messages[-1] == "audit: --max-groups must be >= 2, got 1"
