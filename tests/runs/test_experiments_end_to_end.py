"""The walk of docs/experiments.md, in the clone that the pipeline has run in."""

import json
import time

import pytest
import yaml

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def walked(clone):
    """Four experiments with the network: in a folder of its own, two at a time, and here."""
    clone.run("git add -A")
    clone.run("git commit -qm run --allow-empty")
    clone.run("dvc exp run -n wide --temp -S 'train_fnn.hidden=[128,64]' evaluate@fnn")
    clone.run("dvc exp run -n tanh --queue -S train_fnn.activation=tanh evaluate@fnn")
    clone.run("dvc exp run -n slow --queue -S train_fnn.optimisation.lr=0.0003 evaluate@fnn")
    clone.run("dvc queue start -j 2")
    end = time.monotonic() + 300
    while clone.run("dvc queue status").count("Success") < 2:
        assert time.monotonic() < end, clone.run("dvc queue status")
        time.sleep(1)
    clone.run("dvc exp run -n small -S 'train_fnn.hidden=[32,16]' evaluate@fnn")
    return clone


def auroc(clone, revision: str) -> float:
    text = clone.run(f"git show {revision}:reports/metrics/fnn.json")
    return json.loads(text)["metrics"]["auroc"]["value"]


def test_the_table_shows_every_experiment_with_what_it_changed_and_reached(walked):
    table = walked.run("dvc exp show --only-changed --drop '.*(low|high)' --md")
    head, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
    )
    named = {
        name: row for name in ("small", "wide", "tanh", "slow") for row in rows if name in row[0]
    }
    assert len(named) == 4
    assert named["wide"][head.index("train_fnn.hidden")] == "[128, 64]"
    assert named["tanh"][head.index("train_fnn.activation")] == "tanh"
    measured = head.index("reports/metrics/fnn.json:metrics.auroc.value")
    assert len({row[measured] for row in named.values()}) > 1
    assert all(0 < float(row[measured]) < 1 for row in named.values())
    assert not any("low" in name or "high" in name for name in head)


def test_an_experiment_is_compared_by_parameters_metrics_and_curves(walked):
    changed = {"wide": "train_fnn.hidden", "tanh": "train_fnn.activation"}
    for name, param in changed.items():
        params = walked.run(f"dvc params diff HEAD {name}")
        assert [line.split()[1] for line in params.splitlines()[1:]] == [param]
    metrics = json.loads(walked.run("dvc metrics diff HEAD wide --json"))
    change = metrics["reports/metrics/fnn.json"]["metrics.auroc.value"]
    assert list(metrics) == ["reports/metrics/fnn.json"]
    assert change["diff"] == pytest.approx(change["new"] - change["old"])
    assert "metrics.auroc.value" in walked.run("dvc metrics diff HEAD wide")
    assert walked.run("dvc plots diff HEAD wide").strip().endswith("dvc_plots/index.html")
    drawn = json.loads(walked.run("dvc plots diff HEAD wide --json --split"))["data"]
    (curves,) = drawn["reports/history/fnn.csv"]
    assert curves["revisions"] == ["HEAD", "wide"]


def test_mlflow_holds_a_pipeline_run_named_after_each_experiment(walked):
    from plumbline.tracking import store

    walked.run("plumbline sync")
    client = store.client(f"sqlite:///{walked.folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("plumbline").experiment_id
    runs = client.search_runs([experiment], max_results=1000)
    parents = {run.info.run_id: run for run in runs if "mlflow.parentRunId" not in run.data.tags}
    named = {run.info.run_name for run in parents.values() if "dvc.exp_name" in run.data.tags}
    assert named == {"small", "wide", "tanh", "slow"}
    for run in runs:
        if run.info.run_name == "evaluate@fnn" and run.data.tags["dvc.origin"] == "executed":
            above = parents[run.data.tags["mlflow.parentRunId"]]
            shown = above.data.metrics["fnn/test/auroc"]  # of the file, which keeps ten digits
            assert shown == pytest.approx(run.data.metrics["test/auroc"], abs=1e-9)


def test_an_experiment_is_applied_kept_as_a_branch_and_removed(walked):
    # The feed-forward laboratory was never run here: DVC applies the rest, and names its outputs.
    walked.run("dvc exp apply wide", code=255)
    chosen = yaml.safe_load((walked.folder / "params.yaml").read_text())
    assert chosen["train_fnn"]["hidden"] == [128, 64]
    assert "up to date" in walked.run("dvc status train@fnn")
    walked.run("dvc exp branch wide wider")
    assert "wider" in walked.run("git branch --list wider")
    assert (
        auroc(walked, "wider")
        == json.loads((walked.folder / "reports/metrics/fnn.json").read_text())["metrics"]["auroc"][
            "value"
        ]
    )
    walked.run("dvc exp remove small")
    left = walked.run("dvc exp list --name-only").split()
    assert sorted(left) == ["slow", "tanh", "wide"]
    walked.run("dvc repro audit@fnn card@fnn")  # what the experiment left out
