import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from plumbline import artifacts
from plumbline.artifacts import ModelConfig
from plumbline.errors import ArtifactError


def message(call, *args, **kwargs):
    with pytest.raises(ArtifactError) as error:
        call(*args, **kwargs)
    return str(error.value)


def test_a_model_folder_restores_arrays_and_config(tmp_path):
    weights = {"b": np.arange(6, dtype=np.uint64).reshape(2, 3), "a": np.float32([[1], [2]]).T}
    config = ModelConfig(
        model="fnn", architecture="fnn", arguments={"hidden": [3]}, kind="classification",
        dataset="tabular", source="toy", classes=("no", "yes"),
        inputs=({"name": "x", "dtype": "float32", "shape": [-1]},),
    )  # fmt: skip
    artifacts.save_model(tmp_path / "m", weights, config)
    assert ModelConfig.read(tmp_path / "m") == config
    for name, array in artifacts.load_weights(tmp_path / "m").items():
        np.testing.assert_array_equal(array, weights[name])
        assert array.dtype == weights[name].dtype
    assert set(load_file(tmp_path / "m/model.safetensors")) == {"a", "b"}


def test_weights_are_byte_stable_and_take_tensors(tmp_path):
    import torch

    array = np.arange(4, dtype=np.float32)
    artifacts.write_weights(tmp_path / "one", {"w": array, "v": array})
    artifacts.write_weights(tmp_path / "two", {"v": torch.tensor(array), "w": torch.tensor(array)})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_broken_weights_are_named(tmp_path):
    artifacts.write_text(tmp_path / "model.safetensors", "nothing")
    assert message(artifacts.load_weights, tmp_path).startswith(
        "model.safetensors: content must be safetensors, got "
    )


@pytest.mark.parametrize("kind", ["bfloat16", "float8_e4m3fn"])
def test_weights_of_a_type_that_numpy_lacks_are_refused_in_one_sentence(tmp_path, kind):
    import torch
    from safetensors.torch import save_file

    tensor = torch.ones(2, 2).to(getattr(torch, kind))
    save_file({"a": tensor}, tmp_path / "model.safetensors")
    # In a process of its own: where onnx is imported, NumPy has some of these types.
    program = "import sys, pathlib; from plumbline import artifacts; artifacts.load_weights("
    done = subprocess.run(
        [sys.executable, "-c", f"{program}pathlib.Path(sys.argv[1]))", str(tmp_path)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    last = done.stderr.splitlines()[-1]
    assert "ArtifactError: model.safetensors: tensors must be of a type that NumPy has" in last
    assert kind in last
