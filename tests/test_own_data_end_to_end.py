"""Own data that git ignores, in DVC's experiments: in the work tree, in a folder, in a queue."""

import csv
import json
import random
import time

import pytest
from PIL import Image

from plumbline import artifacts, params
from plumbline.artifacts import yaml_text
from plumbline.runs import experiments
from tests.clone import Clone, lay

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ABOUT = {
    "title": "Loans", "description": "price in ${EUR}, rate of ${seed}", "licence": "CC0-1.0",
    "citation": "nobody", "address": "https://example.org", "not_known": "Everything.",
}  # fmt: skip
STAGES = "prepare@tabular prepare@text prepare@images"


def make_table(path):
    draw = random.Random(1)
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["age", "income", "sex", "repaid"])
        for _ in range(200):
            income = "???" if draw.random() < 0.05 else f"{draw.gauss(30, 9):.3f}"
            rows.writerow(
                [draw.randint(20, 80), income, draw.choice("fm"), draw.choice(["yes", "no"])]
            )
    return {
        "delimiter": ",", "missing_values": ["", "???"], "target": "repaid", "positive": "yes",
        "types": {}, "features": ["age", "income"], "attributes": {"sex": []}, "weight": None,
        "entity": None,
    }  # fmt: skip


def make_texts(folder):
    draw = random.Random(2)
    for author in ("ann", "bob"):
        (folder / author).mkdir(parents=True)
        for number in range(20):
            words = " ".join(f"{draw.randrange(10**6)}" for _ in range(60))
            (folder / author / f"{number}.txt").write_text(words)
    return {"format": "folder", "separator": "\n", "text": "text", "attribute": "author"}


def make_images(folder):
    draw = random.Random(3)
    for label in ("dark", "light"):
        (folder / label).mkdir(parents=True)
        for number in range(20):
            base = 60 if label == "dark" else 200
            pixels = bytes(draw.randint(base - 40, base + 40) for _ in range(32 * 32))
            Image.frombytes("L", (32, 32), pixels).save(folder / label / f"{number}.png")
    columns = {"path": "path", "label": "label", "attributes": [], "entity": None, "split": None}
    return {
        "table": None, "columns": columns, "measured": ["brightness"], "mode": "grey",
        "fit": "crop", "max_pixels": 10**6, "broken": "refuse",
    }  # fmt: skip


@pytest.fixture(scope="module")
def clone(root, tmp_path_factory):
    """A clone with data of one's own below data/raw, and nothing of them in git."""
    clone = Clone(root, tmp_path_factory.mktemp("own") / "plumbline")
    clone.env["PLUMBLINE_TRACKING"] = "off"
    home = clone.folder / "data/raw/mine"
    home.mkdir(parents=True)
    own = {
        "csv": ("loans.csv", make_table(home / "loans.csv")),
        "file": ("texts", make_texts(home / "texts")),
        "folder": ("images", make_images(home / "images")),
    }
    layer = {"data_tabular": {"target": "label"}, "data_text": {"min_character_count": 1}}
    for block, source, example in (
        ("data_tabular", "csv", "csv"), ("data_text", "file", "file"),
        ("data_images", "folder", "clothing_small"),
    ):  # fmt: skip
        name, facts = own[source]
        text = (root / f"examples/{example}.yaml").read_text(encoding="utf-8")
        user = {
            **yaml_text.parse(text, example, pure=True)[block][source],
            "path": f"data/raw/mine/{name}", "sha256": artifacts.digest(home / name),
            "encoding": "utf-8", "about": ABOUT, **facts,
        }  # fmt: skip
        layer[block] = {**layer.get(block, {}), "source": source, source: user}
    lay(clone.folder, layer)
    path = clone.folder / "params.yaml"
    text = path.read_text(encoding="utf-8")  # as DVC writes it itself
    path.write_text(text.replace("positive: 'yes'", "positive: yes"), encoding="utf-8")
    assert "positive: yes" in path.read_text(encoding="utf-8")
    clone.run("git commit -qam own")
    assert "data/raw" not in clone.run("git status --porcelain")
    return clone


def prepared(lock):
    """Return the hash of each prepared data set by stage."""
    stages = yaml_text.parse(lock, "dvc.lock")["stages"]
    return {name: stages[name]["outs"][0]["md5"] for name in STAGES.split()}


def said(clone, command, *, code=0):
    """Return what a command prints and logs."""
    return clone.run(f'sh -c "{command} 2>&1"', code=code)


def test_experiments_read_own_data_wherever_they_run(clone):
    """With ``-f`` none takes what another one has left in the run cache."""
    logged = said(clone, f"dvc exp run -f -n apart --temp -S seed=7 {STAGES}")
    for source, name in (("csv", "loans.csv"), ("file", "texts"), ("folder", "images")):
        path = clone.folder / f"data/raw/mine/{name}"
        wanted = f"{source}: data/raw/mine/{name} is read from the main work tree, {path}"
        assert wanted in logged.splitlines()
    clone.run(f"dvc exp run -f -n queued --queue -S seed=7 {STAGES}")
    clone.run("dvc queue start -j 1")
    end = time.monotonic() + 300
    while "Success" not in (status := clone.run("dvc queue status")):
        assert "Failed" not in status, clone.run("dvc queue logs queued")
        assert time.monotonic() < end, status
        time.sleep(1)
    logged = said(clone, f"dvc exp run -f -n here -S seed=7 {STAGES}")
    assert "main work tree" not in logged
    here = prepared((clone.folder / "dvc.lock").read_text(encoding="utf-8"))
    for name in ("apart", "queued"):
        commit = experiments.find(clone.folder, name)
        assert prepared(clone.run(f"git show {commit}:dvc.lock")) == here, name


def test_what_dvc_has_written_says_what_the_person_wrote(clone):
    clone.run("dvc exp run -S seed=8 prepare@tabular")
    clone.run("dvc exp run -S seed=9 prepare@tabular")
    own = params.load(clone.folder).data_tabular.csv
    assert (own.positive, own.missing_values) == ("yes", ("", "???"))
    assert own.about.description == ABOUT["description"]
    folder = clone.folder / "data/prepared/tabular"
    schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    assert schema["about"]["description"] == ABOUT["description"]
    assert schema["classes"][1] == "yes"


def test_duplicates_stop_the_audit_of_data_after_its_report_is_written(clone):
    """A seventh of the loans of different customers are equal, as chance or a bad join makes."""
    table = clone.folder / "data/raw/mine/customers.csv"
    draw = random.Random(4)
    rows = [
        f"{draw.randint(20, 80)},{draw.gauss(30, 9):.3f},{draw.choice('fm')}" for _ in range(180)
    ]
    rows += rows[:30]
    lines = [f"{row},{draw.choice(['yes', 'no'])},{k}" for k, row in enumerate(rows)]
    table.write_text("\n".join(["age,income,sex,repaid,customer", *lines]), encoding="utf-8")
    own = params.load(clone.folder).data_tabular.csv.model_dump(mode="json", by_alias=True)
    changed = {
        "path": "data/raw/mine/customers.csv", "sha256": artifacts.digest(table),
        "entity": "customer",
    }  # fmt: skip
    lay(clone.folder, {"data_tabular": {"csv": {**own, **changed}}})
    logged = said(clone, "dvc repro data_audit@tabular", code=255)
    report = json.loads((clone.folder / "reports/data_audits/tabular.json").read_text())
    exact, near = report["duplicates"]["exact"], report["duplicates"]["near"]
    assert exact["count"] > 0
    (line,) = [line for line in logged.splitlines() if line.startswith("csv: held-out samples")]
    assert f"got {exact['count']} exact of {exact['n']} and {near['count']} near of" in line
    assert "Their entities (column 'customer') differ: correct those that are one" in line
    assert (clone.folder / "reports/data_audits/tabular.md").is_file()
    locked = yaml_text.parse((clone.folder / "dvc.lock").read_text(), "")["stages"]
    assert (
        clone.run("dvc status data_audit@tabular").strip() != "Data and pipelines are up to date."
    )
    share = float(line.rpartition(" ")[2])
    lay(clone.folder, {"data_audit": {"max_leaked_share": share}})
    clone.run("dvc repro data_audit@tabular")
    relocked = yaml_text.parse((clone.folder / "dvc.lock").read_text(), "")["stages"]
    assert relocked["data_audit@tabular"] != locked.get("data_audit@tabular")


def test_an_experiment_refuses_data_that_were_altered_in_the_main_work_tree(clone):
    table = clone.folder / params.load(clone.folder).data_tabular.csv.path
    declared = artifacts.digest(table)
    with table.open("a", encoding="utf-8") as stream:
        stream.write("30,30,f,yes\n")
    logged = said(clone, "dvc exp run --temp -S seed=10 prepare@tabular", code=255)
    assert f"csv: {table} must have sha256 {declared}, got {artifacts.digest(table)};" in logged
