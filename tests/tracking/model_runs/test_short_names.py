from plumbline.tracking.model_runs.short_names import short_name, short_params

TRAINED = {
    "seed": 42,
    "trainer": {"devices": 1},
    "optimisation": {"lr": 0.1, "beta2": 0.9},
    "train_fnn": {"hidden": [64, 32], "optimisation": {"lr": 0.001}},
    "models.fnn": {"label": "network"},
}


def test_the_own_block_loses_its_name_and_overrides_the_shared_rates():
    assert short_params(TRAINED, {"data_tabular": {"rows": 9}, "seed": 42}) == {
        "hidden": "[64, 32]",
        "lr": "0.001",
        "beta2": "0.9",
        "seed": "42",
        "trainer.devices": "1",
        "data.rows": "9",
    }


def test_a_block_that_does_not_use_the_shared_rates_shows_none_of_them():
    trained = {**TRAINED, "train_fnn": {"steps": 3}}
    assert short_params(trained, {}) == {
        "steps": "3", "seed": "42", "trainer.devices": "1", "data": "{}",
    }  # fmt: skip


def test_without_records_there_are_no_parameters():
    assert short_params({}, {}) == {"data": "{}"}


def test_names_of_the_parameter_file_become_the_short_ones():
    names = ["train_fnn.hidden", "finetune.optimisation.lr", "data_text.source", "trainer.devices"]
    assert [*map(short_name, names)] == ["hidden", "lr", "data.source", "trainer.devices"]
    assert short_name("seed") == "seed"
