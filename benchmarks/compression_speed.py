"""EfficientNet-Lite0 on digits in ONNX and in int8, against torch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from plumbline.models import backbones
from plumbline.studies.transfer import features, onnx_models, pictures

import measure
from measure import Row, faster, take_turns

PIXELS, IMAGES, CALIBRATION = 96, 50, 50


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    found, _ = backbones.load_pretrained(
        "package:efficientnet_lite0", outputs=10, image_size=PIXELS, channels=3
    )
    network = found.network.eval()
    network.reset_classifier(0)
    images = torch.as_tensor(pictures.load("digits", seed=0).images[: IMAGES + CALIBRATION])
    inputs = features.as_input(images, PIXELS) / 127.5 - 1
    test, calibration = inputs[:IMAGES].contiguous(), inputs[IMAGES:].contiguous()
    model = onnx_models.export(network, test)
    plain = onnx_models.session(model, portable=False)
    int8 = onnx_models.session(
        onnx_models.quantise(model, calibration, per_channel=True), portable=False
    )
    fed = {onnx_models.INPUT: test.numpy()}
    with torch.inference_mode():
        expected = network(test).numpy()
        assert np.abs(plain.run(None, fed)[0] - expected).max() < 1e-4 * np.abs(expected).max()
        for name, session, goal in (("float32", plain, 1.5), ("int8 per channel", int8, 3)):
            turns = take_turns(lambda run=session.run: run(None, fed), lambda: network(test))
            yield faster(
                33, "ONNX model", f"EfficientNet-Lite0, {IMAGES} pictures of {PIXELS} px, {name}",
                "torch", turns, goal=goal, note="1 thread each",
            )  # fmt: skip


if __name__ == "__main__":
    measure.main(rows, __doc__)
