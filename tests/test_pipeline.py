"""The DVC files follow the catalogue, and an edit re-runs the stages that it can change.

tests/runs/test_dependencies.py compares dependencies with imports.
"""

from pathlib import Path

import pytest

from plumbline import catalog, names
from plumbline.runs import dependencies, dvc_files, provenance
from plumbline.runs.dependencies import uncovered

LIBRARY = Path("src/plumbline")
ENTRY = {"prepare": ("prepare",), "train": ("fit", "check"), "evaluate": ("predict",),
         "sample": ("sample",)}  # fmt: skip


@pytest.fixture(scope="module")
def specs(root):
    return dvc_files.stages(root)


def script(spec: dvc_files.StageSpec) -> Path:
    return Path(next(word for word in spec.cmd.split() if word.endswith(".py")))


def test_every_entry_of_the_catalogue_is_a_parameter_of_the_stages_that_read_it(specs):
    for spec in specs.values():
        if script(spec).stem not in ENTRY:
            continue
        kind = "datasets" if script(spec).stem == "prepare" else "models"
        entry = f"{kind}.{spec.name.partition('@')[2]}"
        assert spec.params.get(entry) == "src/plumbline/catalog.yaml", spec.name


def test_dvc_records_the_kernels_of_every_stage(specs):
    noted = provenance.ENVIRONMENT.as_posix()
    assert [name for name in specs if specs[name].params.get("kernels") != noted] == []


def test_stages_read_the_data_the_models_and_the_parameters_of_their_entry(specs):
    for name, spec in catalog.models().items():
        stage = specs.get(f"train@{name}") or specs[f"baseline@{name}"]
        assert (names.PREPARED / spec.dataset).as_posix() in stage.deps
        assert spec.params in stage.params
        assert not spec.start or (names.MODEL_DIR / spec.start).as_posix() in stage.deps
        measured = specs[f"evaluate@{name}"]
        for needed in (name, *spec.needs):
            assert (names.MODEL_DIR / needed).as_posix() in measured.deps
        assert (f"sample@{name}" in specs) == bool(spec.sample)


def test_every_data_set_is_prepared_and_every_model_measured_audited_and_described(specs):
    outs = {out for spec in specs.values() for out in spec.outs}
    assert {(names.PREPARED / name).as_posix() for name in catalog.datasets()} <= outs
    for model in catalog.models():
        assert {
            (names.MODEL_DIR / model).as_posix(),
            (names.METRICS_DIR / f"{model}.json").as_posix(),
            (names.AUDITS / f"{model}.json").as_posix(),
            (names.CARDS / f"{model}.md").as_posix(),
        } <= outs


def test_every_data_set_has_its_models_on_the_same_rows_compared_for_cards_and_gate(specs):
    assert catalog.compared(names.IMAGES)[:2] == ("cnn", "finetune_scratch")
    assert "gan" not in catalog.compared(names.IMAGES)
    for dataset in (names.TABULAR, names.TEXT, names.IMAGES):
        read = {dep for dep in specs[f"compare@{dataset}"].deps if dep.startswith("data/")}
        models = catalog.compared(dataset)
        assert read == {(names.PREDICTIONS / f"{model}.parquet").as_posix() for model in models}
        report = (names.COMPARISONS / f"{dataset}.json").as_posix()
        assert report in specs[f"compare@{dataset}"].outs
        for model in catalog.models_of(dataset):
            has_baseline = bool(catalog.model(model).baseline)
            assert (report in specs[f"card@{model}"].deps) == has_baseline
    assert names.COMPARISONS.as_posix() in specs["gate"].deps


# What an edit re-runs -----------------------------------------------------------------------------

GROUPS = ("prepare", "data_audit", "baseline", "train", "evaluate", "compare", "sample",
          "audit", "card", "report", "gate")  # fmt: skip
STALE = {
    "src/plumbline/metrics/generative/frechet.py": {"data_audit", "evaluate", "compare", "audit"},
    "src/plumbline/data/fetch/archives.py": set(),
    "src/plumbline/cli/main.py": set(),
    "src/plumbline/tracking/runs.py": set(),
    "src/plumbline/verify/reproduce.py": set(),
    "src/plumbline/runs/records.py": set(),
    "src/plumbline/stage/context.py": set(),
    "src/plumbline/params/models.py": set(),
    "src/plumbline/catalog.py": set(),
    "src/plumbline/standards/worksheets.py": set(),
    "src/plumbline/mitigation/methods.py": set(),
    "src/plumbline/reporting/site/page.py": {"data_audit", "card", "report"},
    "src/plumbline/reporting/rendering.py": {"data_audit", "audit", "card", "report"},
    "src/plumbline/audit/build.py": {"audit"},
    "src/plumbline/data_audit/build.py": {"data_audit"},
    "src/plumbline/data/text/prepare.py": {"prepare@text"},
    "src/plumbline/data/base/splits.py": {"prepare"},
    "src/plumbline/table_files/detect.py": {"prepare"},
    "src/plumbline/classical/ngram.py": {"baseline", "evaluate", "sample"},
    "src/plumbline/inference/classify.py": {"evaluate", "sample"},
    "src/plumbline/training/engine/factory.py": {"train"},
    "src/plumbline/models/fnn.py": {"train@fnn", "evaluate", "sample"},
    "src/plumbline/names.py": set(GROUPS),
}


@pytest.mark.parametrize("path", sorted(STALE))
def test_an_edit_makes_exactly_the_stages_stale_that_it_can_change(root, specs, path):
    assert (root / path).is_file()
    default = {name for name, spec in specs.items() if not spec.lab}
    expected = {name for name in default if {name, name.partition("@")[0]} & STALE[path]}
    assert set(dependencies.stale_stages(root, path)) & default == expected


def test_every_file_of_the_library_is_a_dependency_or_decides_nothing(root, specs):
    package = root / LIBRARY
    deps = {dep for spec in specs.values() for dep in spec.deps}
    files = {path for path in package.rglob("*.py") if path.name != "sitecustomize.py"}
    found = uncovered(deps, files, package=package)
    spare = {path.relative_to(package).as_posix() for path in found}
    apart = ("data/fetch/",)
    outside = {path for path in spare if not path.startswith(apart)}
    assert outside <= {"standards/decisions.py"}
