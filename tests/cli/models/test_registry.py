"""Commands of the model registry."""

import numpy as np
import pandas as pd
import pytest

from plumbline.cli.main import main
from plumbline.cli.models import registry
from plumbline.inference.classify import predict_classifier
from plumbline.tracking.registry.register import register
from tests.registered import RULE, Tree, predictions
from tests.serving import folders
from tests.tracking.conftest import home, template  # noqa: F401 — fixtures


@pytest.fixture
def tree(home) -> Tree:  # noqa: F811
    made = Tree(home)
    made.run(predictions(0.9))
    return made


def run(tree, *words: str) -> int:
    return main([*words, "--root", str(tree.folder)])


def test_register_promote_and_predict_by_alias(tree, capsys, tmp_path, monkeypatch):
    assert run(tree, "register", "fnn") == 0
    assert run(tree, "register", "fnn") == 0
    assert run(tree, "promote", "fnn") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "fnn: version 1 is registered as candidate, models:/fnn@candidate"
    assert said[1].startswith("main metric: auroc 0.9")
    assert said[1].endswith("; gate: PASS")
    assert said[2] == "fnn: version 1 has this model already and is candidate; no version was made"
    assert said[4] == (
        "fnn: version 1 is champion: the first champion, there was none to compare it with"
    )
    monkeypatch.chdir(tmp_path)  # no store here: that of the tree is asked
    rows, out = tmp_path / "rows.csv", tmp_path / "found.parquet"
    folders.raw_rows(tree.data).to_csv(rows, index=False)
    words = ["predict", "models:/fnn@champion", str(rows), "--out", str(out)]
    assert run(tree, *words) == 0
    want = predict_classifier(tree.folder / "data/models/fnn", tree.data).scores()
    np.testing.assert_allclose(pd.read_parquet(out)["score_high"], want[:, 1], rtol=1e-6)
    assert run(tree, "predict", "models:/fnn@nobody", str(rows)) == 4


def test_promote_says_why_in_tables_and_by_its_exit_code(tree, capsys):
    register(tree.folder, "fnn")
    run(tree, "promote", "fnn")
    tree.run(predictions(0.8, of_b=0.5))
    register(tree.folder, "fnn")
    capsys.readouterr()
    assert run(tree, "promote", "fnn") == 1
    out = capsys.readouterr().out
    assert "champion" in out
    assert "accuracy difference by sex" in out
    assert "grows beyond the margin" in out
    assert "fnn: version 2 is not promoted, version 1 stays champion: auroc is worse by -" in out
    tree.run(predictions(0.95))
    register(tree.folder, "fnn")
    assert run(tree, "promote", "fnn") == 0
    assert "fnn: version 3 is champion after version 1: auroc +" in capsys.readouterr().out
    assert run(tree, "promote", "fnn", "--rollback") == 0
    assert capsys.readouterr().out == "fnn: version 1 is champion again, after version 3\n"


def test_register_is_refused_with_the_code_of_the_gate(tree, caplog):
    tree.write_policy([{**RULE, "min": 0.99}])
    assert run(tree, "register", "fnn") == 8
    assert caplog.messages[-1].startswith("register: model 'fnn' must pass the gate, got fnn auroc")
    assert run(tree, "register", "nothing") == 10


def test_a_folder_without_a_pipeline_is_named(tmp_path, caplog):
    for command in ("register", "promote"):
        assert main([command, "fnn", "--root", str(tmp_path)]) == 4
        assert caplog.messages[-1].startswith(f"{command}: folder must be a work tree with dvc.yam")


def test_models_of_the_parameters_are_registered_at_the_end_of_a_run(tree, capsys, caplog):
    (tree.folder / "dvc.yaml").write_text(
        "stages: {card: {foreach: [fnn], do: {cmd: card, outs: ['reports/cards/${item}.md']}}}"
    )
    caplog.set_level("INFO")
    assert registry.register_covered(tree.folder, ["fnn"], {"train@fnn"}) == 0
    assert caplog.messages[-1] == ("repro: fnn is not registered, its card is not part of this run")
    assert registry.register_covered(tree.folder, ["fnn"], {"card@fnn"}) == 0
    assert capsys.readouterr().out.startswith("fnn: version 1 is registered as candidate")
    tree.write_policy([{**RULE, "min": 0.99}])
    assert registry.register_covered(tree.folder, ["fnn"], {"card@fnn"}) == 8
    assert caplog.messages[-1].startswith("register: model 'fnn' must pass the gate")
