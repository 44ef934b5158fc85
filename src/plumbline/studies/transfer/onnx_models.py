"""Compress an ONNX model: prune or round its weights, or quantise it to int8.

Static quantisation: Jacob et al. (2018), https://arxiv.org/abs/1712.05877. Its rounding is computed
in float32 here (`evaluate`): instructions for int8 differ between processors, and some saturate.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from onnxruntime import quantization
from onnxruntime.quantization.quant_utils import add_pre_process_metadata
from torch import Tensor, nn

Floats = npt.NDArray[np.float32]
Model = Any  # onnx.ModelProto

DEPTHWISE, OTHERS = "depthwise", "others"
INPUT = "x"
_BATCH, _LARGEST = 50, 127


def export(network: nn.Module, inputs: Tensor) -> Model:
    """Return a network for any number of inputs, its batch norm folded into the weights.

    Notes of the exporter are left out: they name files of the machine.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's own, about a class of torch
        program = torch.onnx.export(
            network, (inputs[:2],), dynamo=True, verbose=False, input_names=[INPUT],
            dynamic_shapes=({0: torch.export.Dim("rows")},),
        )  # fmt: skip
    assert program is not None
    model = program.model_proto
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info,
                 *model.graph.initializer):  # fmt: skip
        del part.metadata_props[:]
    return model


def evaluate(model: Model, inputs: Tensor, *, portable: bool = True) -> Floats:
    """Return the outputs on one thread; with ``portable``, int8 is computed in float32."""
    started = session(model, portable=portable)
    parts = [started.run(None, {INPUT: part.numpy()})[0] for part in torch.split(inputs, _BATCH)]
    return np.concatenate(parts)


def session(model: Model, *, portable: bool) -> Any:
    """Return what runs the model; not ``portable``, with the processor's instructions for int8."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    quantised = any(node.op_type == "QuantizeLinear" for node in model.graph.node)
    if portable and quantised:  # nothing is fused into an operation on int8
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def weights(model: Model) -> dict[str, str]:
    """Return the kind of the convolution of each weight, by the name of the weight."""
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    groups = [[a.i for a in node.attribute if a.name == "group"] for node in convolutions]
    return {
        node.input[1]: DEPTHWISE if group and group[0] > 1 else OTHERS
        for node, group in zip(convolutions, groups, strict=True)
    }


def prune(model: Model, share: float, *, by_layer: bool) -> Model:
    """Set the smallest weights of all convolutions, or of each one, to 0, by absolute value."""
    found = {w.name: np.abs(numpy_helper.to_array(w)).ravel() for w in model.graph.initializer}
    own = {name: found[name] for name in weights(model)}
    limit = np.quantile(np.concatenate(list(own.values())), share)
    limits = {name: np.quantile(w, share) if by_layer else limit for name, w in own.items()}
    return _changed(model, own, lambda name, w: np.where(
        np.abs(w) > limits[name], w, np.float32(0)))  # fmt: skip


def with_weights(model: Model, state: Mapping[str, Tensor]) -> Model:
    """Return the model with the weights of another network of the same layers.

    Raises
    ------
    ValueError
        If the model lacks one of them: the exporter makes one of two weights that are equal.
    """
    if missing := set(state) - {weight.name for weight in model.graph.initializer}:
        raise ValueError(f"onnx_models: the model must have each weight, got no {sorted(missing)}")
    return _changed(model, state, lambda name, _: state[name].numpy())


def round_weights(model: Model, kinds: Collection[str], *, per_channel: bool) -> Model:
    """Round the weights of these kinds of convolutions to 255 steps, in float32.

    The largest absolute weight of the tensor, or of each output channel, is step 127.
    """

    def rounded(w: Floats) -> Floats:
        axes = tuple(range(1, w.ndim)) if per_channel else None
        largest = np.abs(w).max(axis=axes, keepdims=True)
        step = np.maximum(largest / _LARGEST, 1e-12)
        return np.asarray(np.rint(w / step) * step, dtype=np.float32)

    chosen = [name for name, kind in weights(model).items() if kind in kinds]
    return _changed(model, chosen, lambda _, w: rounded(w))


def quantise(model: Model, calibration: Tensor, *, per_channel: bool) -> Model:
    """Return the statically quantised model, ranges of maps taken from calibration inputs."""

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.parts: Iterator[Tensor] = iter(torch.split(calibration, _BATCH))

        def get_next(self) -> dict[str, Floats] | None:
            part = next(self.parts, None)
            return None if part is None else {INPUT: part.numpy()}

    return _through_a_file(model, lambda copy, path: quantization.quantize_static(
        copy, path, Reader(), per_channel=per_channel))  # fmt: skip


def quantise_dynamically(model: Model) -> Model:
    """Return the model with int8 weights, ranges of maps taken from each batch."""
    return _through_a_file(model, quantization.quantize_dynamic)


def left(model: Model) -> float:
    """Return the share of the weights of convolutions that are not 0."""
    names = weights(model)
    found = [numpy_helper.to_array(w) for w in model.graph.initializer if w.name in names]
    return float(sum(np.count_nonzero(w) for w in found) / sum(w.size for w in found))


def _changed(
    model: Model, names: Collection[str], change: Callable[[str, Floats], Floats]
) -> Model:
    found = _copy(model)
    for weight in found.graph.initializer:
        if weight.name in names:
            changed = change(weight.name, numpy_helper.to_array(weight))
            weight.CopyFrom(numpy_helper.from_array(changed, weight.name))
    return found


def _through_a_file(model: Model, quantise: Callable[[Model, str], None]) -> Model:
    copy = _copy(model)  # the quantiser moves its weights to a file
    add_pre_process_metadata(copy)  # the export has folded batch norm
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        quantise(copy, str(path))
        return onnx.load(path)


def _copy(model: Model) -> Model:
    found = onnx.ModelProto()
    found.CopyFrom(model)
    return found
