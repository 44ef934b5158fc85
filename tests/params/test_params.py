"""params.yaml: complete, checked as a whole, every fault named at once."""

import copy
import re
import shutil

import pytest
import yaml

from plumbline import names, params
from plumbline.errors import ParamsError
from plumbline.params.apply import merge, write_layer
from plumbline.params.studies import STUDIES
from plumbline.runs import dvc_files


@pytest.fixture
def raw(root):
    return yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))


def faults(raw):
    with pytest.raises(ParamsError) as caught:
        params.check(raw)
    return str(caught.value).splitlines()


def test_the_file_of_the_repository_is_right(root):
    assert params.load(root / "params.yaml").seed == 42


def test_reduced_parameters_change_values_of_every_file_and_add_no_key(root, tmp_path):
    files = ["params.yaml", "policy.yaml", "studies/fairness/params.yaml"]
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / file, tmp_path / file)
    layer = yaml.safe_load((root / "tests/reduced.yaml").read_text(encoding="utf-8"))
    write_layer(tmp_path, layer)
    found = {}
    for file in files:
        before, after = (
            yaml.safe_load((folder / file).read_text(encoding="utf-8"))
            for folder in (root, tmp_path)
        )
        assert set(after) == set(before)
        assert after != before, file
        found |= after
    assert found == merge(found, layer)


def test_all_faults_come_together_unknown_keys_among_them(raw):
    raw["train_gan"]["latent_dim"] = 0
    raw["trainer"]["accelerator"] = "tpu"
    raw["train_fnn"]["optimisation"]["lr"] = "fast"
    raw["train_fnn"]["optimisation"]["lrr"] = 1
    raw["colour"] = "red"
    del raw["seed"]
    assert faults(raw) == [
        "params.yaml: seed must be given, got nothing; take it from the params.yaml or the example "
        "of this version",
        "params.yaml: trainer.accelerator must be one of 'cpu', 'gpu' or 'auto', got 'tpu'",
        "params.yaml: train_fnn.optimisation.lr must be a number, got 'fast'",
        "params.yaml: train_fnn.optimisation.lrr must not be there, got 1; "
        "unknown key, see params.yaml for the known",
        "params.yaml: train_gan.latent_dim must be >= 1, got 0",
        "params.yaml: colour must not be there, got 'red'; "
        "unknown key, see params.yaml for the known",
    ]


@pytest.mark.parametrize(
    ("block", "key", "value", "message"),
    [
        ("train_fnn", "dropout", 1.0, "train_fnn.dropout must be < 1, got 1.0"),
        ("train_fnn", "hidden", [8, 2.5], "train_fnn.hidden.1 must be an int, got 2.5"),
        ("trainer", "threads", True, "trainer.threads must be an int, got True"),
        ("audit", "confidence", 95, "audit.confidence must be < 1, got 95"),
        ("data_images", "sizes", [], "data_images.sizes must be not empty, got []"),
        ("card", "owner", "", "card.owner must be not empty, got ''"),
        (
            "trainer",
            "strategy",
            "ddp_spawn",
            "trainer.strategy: must start processes with the stage's own command, got 'ddp_spawn'",
        ),
        (
            "trainer",
            "strategy",
            "deepspeed",
            "trainer.strategy: must be auto, ddp, one of Lightning's ddp_…, or fsdp, "
            "got 'deepspeed'",
        ),
    ],
)
def test_a_value_out_of_range_is_named_with_its_rule(raw, block, key, value, message):
    raw[block][key] = value
    assert f"params.yaml: {message}" in faults(raw)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("trace", True, "trace must be false with strategy fsdp, got true"),
        ("diagnostics", True, "diagnostics must be false with strategy fsdp, got true"),
        (
            "precision",
            "16-mixed",
            "precision must be 32-true, bf16-mixed or bf16-true with strategy fsdp, got 16-mixed",
        ),
    ],
)
def test_sharding_has_its_limits(raw, key, value, message):
    raw["trainer"] |= {"strategy": "fsdp", key: value}
    assert faults(raw) == [f"params.yaml: trainer: {message}"]


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "16-mixed"])
@pytest.mark.parametrize(
    ("accelerator", "kernels", "refused"),
    [
        ("cpu", "portable", True),  # oneDNN fails at the LSTM: there is none within AVX2
        ("auto", "portable", True),
        ("cpu", "native", False),
        ("gpu", "portable", False),
    ],
)
def test_portable_kernels_compute_in_whole_precision(raw, precision, accelerator, kernels, refused):
    raw["trainer"] |= {"precision": precision, "accelerator": accelerator, "kernels": kernels}
    if not refused:
        assert params.check(raw).trainer.kernels == kernels
        return
    message = f"kernels must be native with precision {precision} on a processor, got portable"
    assert faults(raw) == [f"params.yaml: trainer: {message}"]


def test_rules_between_keys_are_checked(raw):
    raw["data_tabular"]["test_fraction"] = 0.9
    raw["train_rnn"]["tied"] = True
    raw["baseline"]["svm"] = {"max_rows": 100, "landmarks": 51, "approximate_rows": 100}
    assert faults(raw) == [
        "params.yaml: data_tabular: val_fraction + test_fraction must be < 1, got 1.1",
        "params.yaml: baseline.svm: landmarks must be <= half of max_rows (100), got 51",
        f"params.yaml: train_rnn: embedding_dim must be hidden_dim "
        f"({raw['train_rnn']['hidden_dim']}) when tied is true, "
        f"got {raw['train_rnn']['embedding_dim']}",
    ]


def test_a_size_that_the_generator_cannot_double_to_is_refused_before_anything_runs(raw):
    raw["data_images"]["sizes"] = [24, 32]
    raw["train_cnn"]["image_size"] = raw["train_gan"]["image_size"] = 24
    assert faults(raw) == [
        "params.yaml: train_gan.image_size: must be 8, 16, 32 or a further power of two, got 24; "
        "the generator doubles a map of 4×4"
    ]


def test_image_sizes_that_are_not_prepared_are_refused(raw):
    raw["finetune"]["image_size"] = 31
    assert faults(raw) == [
        f"params.yaml: finetune.image_size must be one of data_images.sizes "
        f"{raw['data_images']['sizes']}"
    ]


def test_weights_of_ones_own_need_a_digest_and_images_are_mixed_in_one_way(raw):
    raw["finetune"] |= {"mixup": 0.2, "cutmix": 1.0}
    assert faults(raw) == ["params.yaml: finetune: cutmix must be 0 with mixup 0.2, got 1"]
    raw["finetune"] |= {"backbone": "file:x.pth?architecture=resnet18", "cutmix": 0.0}
    assert faults(raw) == [
        "params.yaml: finetune.backbone: must be file:<path>?architecture=<timm name>&sha256="
        "<digest>, got 'file:x.pth?architecture=resnet18'",
    ]


def test_the_extractor_sees_images_of_the_generators_size(raw):
    raw["train_cnn"]["image_size"] = 32
    assert faults(raw) == [
        "params.yaml: train_cnn.image_size must be train_gan.image_size (16), got 32; "
        "the classifier extracts the features that the generator is measured by"
    ]


def test_as_many_images_are_drawn_as_measuring_them_needs(raw):
    raw["evaluate"] |= {"generated_samples": 7, "nearest_neighbours": 3}
    assert faults(raw) == [
        "params.yaml: evaluate: generated_samples must be >= 8, two halves with more images than "
        "nearest_neighbours, got 7"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1\n- 2\n", "params.yaml: content must be a mapping, got list"),
        ("a: [1\n", "params.yaml: content must be YAML, got line 2: "),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text, message):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ParamsError) as caught:
        params.load(path)
    assert str(caught.value).startswith(message)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ParamsError, match=r"^params\.yaml: file must exist, got none at "):
        params.load(tmp_path / "params.yaml")


def test_blocks_are_frozen(raw):
    loaded = params.check(copy.deepcopy(raw))
    with pytest.raises(ValueError, match="frozen"):
        loaded.seed = 1


def test_every_block_is_tracked_by_a_stage_and_every_tracked_block_exists(root, raw):
    tracked = {
        (file, block)
        for spec in dvc_files.stages(root).values()
        for block, file in spec.params.items()
        if not file.endswith("catalog.yaml")
    }
    files = ["params.yaml", *(f"studies/{lab}/params.yaml" for lab in STUDIES)]
    untracked = ("params.yaml", "registry")  # read by plumbline repro at its end
    assert tracked == {
        (file, block)
        for file in files
        for block in yaml.safe_load((root / file).read_text(encoding="utf-8"))
        if (file, block) != untracked
    } | {
        ("policy.yaml", "margins"),  # rules are read by the gate alone, from the whole file
        ("reports/environment.json", "kernels"),
    }


def test_networks_share_the_optimisation_that_they_do_not_set(raw):
    raw["optimisation"]["beta2"] = 0.5
    raw["train_fnn"]["optimisation"]["gradient_clip"] = 7.0
    found = params.check(raw)
    assert (found.train_fnn.optimisation.beta2, found.train_rnn.optimisation.beta2) == (0.5, 0.99)
    assert found.train_fnn.optimisation.gradient_clip == 7.0
    assert found.pretrain.optimisation.gradient_clip == raw["optimisation"]["gradient_clip"]


def test_a_table_of_ones_own_must_have_something_to_audit_by(root, raw):
    layer = yaml.safe_load((root / "examples/csv.yaml").read_text(encoding="utf-8"))
    merged = merge(raw, layer)
    merged["data_tabular"]["csv"]["attributes"] = {}
    assert faults(merged) == [
        "params.yaml: data_tabular.csv.attributes must name a column to audit by, got none"
    ]
    merged["data_tabular"]["csv"] = None
    assert faults(merged) == [
        "params.yaml: data_tabular: csv must describe the file when source is csv, got nothing"
    ]


def test_bounds_rise_and_encodings_are_known(root, raw):
    layer = yaml.safe_load((root / "examples/csv.yaml").read_text(encoding="utf-8"))
    merged = merge(raw, layer)
    merged["data_tabular"]["csv"] |= {"attributes": {"age": [50, 30]}, "encoding": "utf-9"}
    assert faults(merged) == [
        "params.yaml: data_tabular.csv.encoding: must be an encoding of text that Python knows, "
        "got 'utf-9'",
        "params.yaml: data_tabular.csv.attributes: bounds of 'age' must rise, got [50.0, 30.0]",
    ]


def test_a_block_is_a_mapping_and_its_keys_are_text(raw):
    assert faults({**raw, "train_fnn": 3, 1: 2}) == [
        "params.yaml: train_fnn must be a mapping, got 3",
        "params.yaml: 1 must be text as a key, got 1",
    ]


def ignored_by_dvc(value) -> bool:
    """Whether DVC's run cache has one key for a stage with the value and for one without it."""
    from dvc.stage.cache import _get_cache_hash

    entry = {"cmd": "x", "deps": [], "params": {"params.yaml": {"block": value}}}
    return _get_cache_hash(entry) == _get_cache_hash(
        {**entry, "params": {"params.yaml": {"block": {}}}}
    )


@pytest.mark.parametrize(
    "name", ["size", "nfiles", "isexec", "md5", "hash", "isdir", "mtime", "remote"]
)
def test_a_name_that_the_run_cache_ignores_is_refused_and_only_such_a_name(raw, name):
    own = {**raw, "data_tabular": {**raw["data_tabular"], "resample": {name: {"a": 0.5}}}}
    if ignored_by_dvc({name: 1}):
        with pytest.raises(
            ParamsError, match=rf"data_tabular\.resample\.{name} must have another name"
        ):
            params.check(own)
    else:
        assert name in params.check(own).data_tabular.resample


def test_no_file_of_parameters_has_a_name_that_the_run_cache_ignores(root):
    files = [root / "params.yaml", root / "policy.yaml", root / "src/plumbline/catalog.yaml",
             *root.glob("studies/*/params.yaml"), *root.glob("examples/*.yaml")]  # fmt: skip
    for file in files:
        assert not list(params._ignored(params.read_yaml(file, file.name))), file.name


def test_a_decision_and_class_weights_of_two_classes_are_read(raw):
    raw["train_fnn"]["classification"] = {
        "class_weights": {"no": 1, 1: 2.5}, "decision": 0.25
    }  # fmt: skip
    for block, decision in zip(("baseline", "train_cnn"), names.THRESHOLD_METRICS, strict=False):
        raw[block]["classification"] = {"class_weights": "balanced", "decision": decision}
    found = params.check(raw)
    assert found.train_fnn.classification.class_weights == {"no": 1.0, "1": 2.5}
    assert found.train_fnn.classification.decision == 0.25
    assert found.baseline.classification.decision == "accuracy"


CHOOSES = "; a metric chooses the threshold on the validation split"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("class_weights", {"yes": 0}, "got 0 for 'yes'"),
        ("class_weights", {"yes": True}, "got True for 'yes'"),
        (
            "class_weights", {True: 2},
            "got the name True; quote it as the data write it",
        ),
        ("class_weights", {"yes": float("inf")}, "got inf for 'yes'"),
        ("class_weights", {1: 2, "1": 3}, "got two weights for one name in {1: 2, '1': 3}"),
        ("class_weights", {}, "got {}"),
        ("class_weights", "rare", "got 'rare'"),
        ("decision", 1, f"got 1{CHOOSES}"),
        ("decision", 1.0, f"got 1.0{CHOOSES}"),
        ("decision", "auroc", f"got 'auroc'{CHOOSES}"),
    ],
)  # fmt: skip
def test_other_decisions_and_class_weights_are_refused(raw, key, value, message):
    raw["train_fnn"]["classification"][key] = value
    rule = {
        "class_weights": "none, balanced, or a finite weight above 0 for each class by name",
        "decision": "argmax, accuracy, balanced_accuracy, f1, f1_macro, or a threshold in (0, 1)",
    }[key]
    assert faults(raw) == [
        f"params.yaml: train_fnn.classification.{key}: must be {rule}, {message}"
    ]


def test_models_to_register_are_of_the_catalogue_and_named_once(raw):
    assert params.check(copy.deepcopy(raw)).registry.models == ()
    raw["registry"]["models"] = ["fnn", "lm"]
    with pytest.raises(ParamsError, match=r"registry\.models: must be of baseline, .*, got 'lm'"):
        params.check(copy.deepcopy(raw))
    raw["registry"]["models"] = ["fnn", "fnn"]
    with pytest.raises(ParamsError, match=r"registry\.models: must name each model once, got fnn"):
        params.check(raw)


def places(node, parent=""):
    """Yield the keys of nested mappings, each also with the key above it."""
    for key, value in node.items():
        yield from (key, f"{parent}.{key}")
        if isinstance(value, dict):
            yield from places(value, key)


def test_the_page_on_overfitting_names_parameters_that_exist_and_its_example_is_valid(root, raw):
    page = (root / "docs/how-to/reduce-overfitting.md").read_text(encoding="utf-8")
    changed = copy.deepcopy(raw)
    for block, values in yaml.safe_load(re.search("```yaml\n(.*?)```", page, re.DOTALL)[1]).items():
        assert values.keys() <= raw[block].keys()
        changed[block] |= values
    assert params.check(changed).train_fnn.regularisation.mixup == 0.2
    table = [line.split("|")[2] for line in page.splitlines() if line.startswith("| ")]
    named = {name for cell in table for name in re.findall(r"`([\w.]+)`", cell)}
    values = {"constant", "cosine", "step", "exponential"}
    studies = {"fairness", "cross_validation", "overfitting"}
    assert named - values - studies <= set(places(raw))
    assert len(named) > 20


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("prune", 1.0, "train_fnn.regularisation.prune must be < 1, got 1.0"),
        ("mixup", -0.1, "train_fnn.regularisation.mixup must be >= 0, got -0.1"),
        ("input_noise", "inf", "train_fnn.regularisation.input_noise must be a finite number"),
    ],
)
def test_techniques_against_overfitting_have_their_ranges(raw, key, value, message):
    raw["train_fnn"]["regularisation"][key] = float(value)
    (found,) = faults(raw)
    assert found.startswith(f"params.yaml: {message}")


def test_training_after_pruning_has_its_rules(raw):
    raw["train_fnn"]["regularisation"]["prune_epochs"] = 3
    assert faults(raw) == [
        "params.yaml: train_fnn.regularisation: prune_epochs must be 0 with prune: 0, got 3"
    ]
    raw["train_fnn"]["regularisation"]["prune"] = 0.5
    assert params.check(raw).train_fnn.regularisation.prune_epochs == 3
    raw["trainer"]["strategy"] = "fsdp"
    assert faults(raw) == [
        "params.yaml: train_fnn.regularisation.prune_epochs must be 0 with strategy fsdp, got 3"
    ]
