"""Predictions of raw samples by models loaded from MLflow, beside the plain network.

The plain network gets tensors that somebody has prepared; raw samples have to be encoded by
somebody. So each model is also compared with the encoding of a peer and the plain network: pandas
for numbers, scikit-learn's ColumnTransformer for missing values and categories.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from plumbline import artifacts, models, names, params
from plumbline.artifacts import DatasetSchema, ModelConfig
from plumbline.compat import torchvision
from plumbline.data.images.encoding import ImageEncoding
from plumbline.data.tables.encoders import Encoder, fit_encoder
from plumbline.data.tables.encoding import encoding_of
from plumbline.table_files import Dialect
from plumbline.tracking.models import write_description
from plumbline.tracking.store import prepare_environment

import measure
from measure import Row, Turns, faster, take_turns

ROWS = 1_000
NUMBERS, CATEGORIES, VALUES = 8, 4, 10
GOAL = 0.8
WHY = (
    "MLflow calls a function of its own for every value of a column of any type: three quarters of "
    "the time of a small network of a table. Types that it checks by column would refuse whole "
    "numbers for numbers, and give its messages for ours; get_raw_model() does without the check. "
    "Of the rest a third is the network, in four batches of 256 that keep the bits of the "
    "pipeline, and most is pandas: columns taken from a data frame, and one of results."
)
Floats = np.ndarray

torchvision.install()


@dataclass(frozen=True)
class Case:
    """A model, raw samples, and the same samples as a peer prepares them.

    Attributes
    ----------
    what : str
        Of the samples.
    folder : Path
        Of the model, with the encoding of its data.
    frame : DataFrame
        Raw samples.
    encode : callable
        The peer's encoding of the raw samples, to what the network takes.
    peer : str
    """

    what: str
    folder: Path
    frame: pd.DataFrame
    encode: Callable[[pd.DataFrame], Floats]
    peer: str


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    prepare_environment()
    with tempfile.TemporaryDirectory() as folder:
        for make in (numbers, mixed, images):
            yield from compare(make(Path(folder) / make.__name__))


def compare(case: Case) -> Iterator[Row]:
    import mlflow

    loaded = mlflow.pyfunc.load_model(str(case.folder))
    network = restored(case.folder)
    ready = torch.from_numpy(case.encode(case.frame))
    check(case, loaded, network)

    def ours() -> object:
        return loaded.predict(case.frame)

    def raw() -> object:
        return loaded.get_raw_model().predict(case.frame)

    turns = take_turns(
        ours, lambda: plain(network, ready),
        lambda: plain(network, torch.from_numpy(case.encode(case.frame))), raw,
        turns=7, at_least=0.3,
    )  # fmt: skip
    alone = Turns((turns.seconds[3], *turns.seconds[1:3]))
    ways = {"mlflow.pyfunc": turns, "get_raw_model()": alone}
    for way, taken in ways.items():
        for which, peer in enumerate(("prepared tensor", case.peer), start=1):
            yield faster(
                22, f"predictions, {way}", f"{ROWS:,} × {case.what}", f"{peer}, plain network",
                taken, goal=GOAL, which=which, why=WHY if which == 1 else "As above.",
                note=f"{ROWS / taken.median():,.0f} rows/s; 1 thread",
            )  # fmt: skip


def check(case: Case, loaded: Any, network: nn.Module) -> None:
    """Check that all say the same."""
    want = plain(network, torch.from_numpy(case.encode(case.frame)))
    found = loaded.predict(case.frame)
    pd.testing.assert_frame_equal(loaded.get_raw_model().predict(case.frame), found)
    np.testing.assert_allclose(found.iloc[:, :-1].to_numpy(), want, atol=1e-6)
    classes = np.array([name.removeprefix("score_") for name in found.columns[:-1]])
    assert found["decision"].tolist() == classes[want.argmax(axis=1)].tolist()


@torch.inference_mode()
def plain(network: nn.Module, inputs: torch.Tensor) -> Floats:
    """Return class probabilities as a user of PyTorch computes them: in one batch."""
    return network(inputs).softmax(dim=1).numpy()


def restored(folder: Path) -> nn.Module:
    from plumbline.inference.restore import restore  # after the guard of torchvision

    return restore(folder)[0]


# --- cases ---


def numbers(folder: Path) -> Case:
    """Make the default network of eight numbers."""
    frame = table(missing=0.0)[[f"x{i}" for i in range(NUMBERS)]]
    logged = table_model(folder, encoders(frame))
    columns = list(frame)
    return Case(
        f"{NUMBERS} numbers", logged, frame, lambda raw: raw[columns].to_numpy("float32"), "pandas",
    )  # fmt: skip


def mixed(folder: Path) -> Case:
    """Make a network of numbers and categories, some of them missing."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = table(missing=0.05)
    fitted = encoders(frame)
    logged = table_model(folder, fitted)
    number, category = (
        [e.column for e in fitted if e.kind == kind] for kind in ("numeric", "categorical")
    )
    values = [list(e.values) for e in fitted if e.kind == "categorical"]
    one_hot = OneHotEncoder(categories=values, handle_unknown="ignore", sparse_output=False)
    missing = SimpleImputer(strategy="constant", fill_value="(missing)")
    peer = ColumnTransformer(
        [
            ("n", SimpleImputer(strategy="median", add_indicator=True), number),
            ("c", make_pipeline(missing, one_hot), category),
        ]
    ).fit(frame)
    # The peer's columns in our order: its indicators follow all of its numbers.
    places = [place for i in range(NUMBERS) for place in (i, NUMBERS + i)]
    places += range(2 * NUMBERS, sum(len(e.features) for e in fitted))
    return Case(
        f"{NUMBERS} numbers and {CATEGORIES} categories, 5 % missing", logged, frame,
        lambda raw: np.asarray(peer.transform(raw)[:, places], dtype=np.float32),
        "ColumnTransformer",
    )  # fmt: skip


def images(folder: Path) -> Case:
    """Make the default convolutional network."""
    cnn = params.load().train_cnn
    arguments = {
        "image_size": cnn.image_size, "image_channels": 1, "channels": list(cnn.channels),
        "feature_dim": cnn.feature_dim, "dropout": cnn.dropout, "outputs": 10, "mean": [0.3],
        "scale": [0.4],
    }  # fmt: skip
    data = folder / "prepared"
    ImageEncoding("grey", None, 10_000, counts=False).write(data)
    signature = [
        {"name": "images", "dtype": "uint8", "shape": [-1, 1, cnn.image_size, cnn.image_size]}
    ]
    logged = save(folder, "cnn", "cnn", arguments, signature, classes=10)
    pixels = np.random.default_rng(0).integers(
        0, 256, (ROWS, cnn.image_size, cnn.image_size), dtype=np.uint8
    )
    frame = pd.DataFrame({"image": list(pixels)})
    return Case(
        f"grey images of {cnn.image_size} pixels", logged, frame,
        lambda raw: np.stack(raw["image"])[:, None], "numpy.stack",
    )  # fmt: skip


def table(*, missing: float) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    columns: dict[str, Any] = {f"x{i}": draw.normal(size=ROWS) for i in range(NUMBERS)}
    words = np.array([f"value {i}" for i in range(VALUES)], dtype=object)
    columns |= {f"c{i}": words[draw.integers(VALUES, size=ROWS)] for i in range(CATEGORIES)}
    frame = pd.DataFrame(columns)
    absent = draw.uniform(size=frame.shape) < missing
    return frame.mask(absent, None)


def encoders(frame: pd.DataFrame) -> list[Encoder]:
    import pyarrow as pa

    rules = params.load().data_tabular.encoding.model_copy(
        update={"missing_numbers": "median", "missing_categories": "own", "max_categories": 20,
                "number_thresholds": 0}
    )  # fmt: skip
    found = []
    for name in frame:
        raw = pa.Array.from_pandas(frame[name])
        kind = "categorical" if name.startswith("c") else "numeric"
        raw = raw.cast(pa.string()) if kind == "categorical" else raw
        found.append(
            fit_encoder(raw, held_out=raw[:0], column=name, kind=kind, rules=rules, where="bench")
        )
    return found


def table_model(folder: Path, fitted: list[Encoder]) -> Path:
    fnn = params.load().train_fnn
    rules = params.load().data_tabular.encoding.model_copy(
        update={"missing_numbers": "median", "missing_categories": "own"}
    )
    features = [name for encoder in fitted for name in encoder.features]
    arguments = {
        "inputs": len(features), "outputs": 2, "hidden": list(fnn.hidden),
        "activation": fnn.activation, "dropout": fnn.dropout, "norm": fnn.norm, "init": fnn.init,
    }  # fmt: skip
    data = folder / "prepared"
    artifacts.write_encoding(data, encoding_of(fitted, rules=rules, dialect=Dialect()))
    signature = [{"name": name, "dtype": "float32", "shape": [-1]} for name in features]
    return save(folder, "fnn", "fnn", arguments, signature, classes=2)


def save(
    folder: Path, model: str, architecture: str, arguments: dict[str, Any],
    signature: list[dict[str, Any]], *, classes: int,
) -> Path:  # fmt: skip
    """Write an untrained network as MLflow holds a logged one, and return its folder."""
    torch.manual_seed(0)
    named = tuple(f"class {k}" for k in range(classes))
    schema = DatasetSchema(
        dataset="made", source="made", task="binary" if classes == 2 else "multiclass",
        classes=named, attributes=(),
    )  # fmt: skip
    artifacts.write_json(folder / "prepared" / "schema.json", schema)
    config = ModelConfig(
        model, architecture, arguments, names.CLASSIFICATION, "made", "made", named,
        tuple(signature),
    )  # fmt: skip
    artifacts.save_model(folder / "model", models.build(architecture, **arguments).state_dict(),
                         config)  # fmt: skip
    write_description(folder / "model", folder / "model", folder / "prepared", "m-0", "0")
    return folder / "model"


if __name__ == "__main__":
    measure.main(rows, __doc__)
