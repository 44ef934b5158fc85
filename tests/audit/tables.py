"""Predictions tables with groups whose truth is known."""

import numpy as np
import pandas as pd

from plumbline import names
from plumbline.artifacts import Predictions

OPTIONS = {
    "confidence": 0.95,
    "max_order": 2,
    "min_group_size": 10,
    "replicates": 2000,
    "seed": 1,
}


def people(n=600, seed=0, selection=(0.5, 0.5), classes=("no", "yes"), positive="yes"):
    """Binary decisions whose rate depends on sex alone: female, male."""
    rng = np.random.default_rng(seed)
    sex = rng.integers(2, size=n)
    table = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(n)],
            "split": names.TEST,
            "y_true": rng.integers(len(classes), size=n),
            "sex": np.array(["female", "male"])[sex],
            "age": rng.choice(["<40", "40-60", "60+"], n),
        }
    )
    table["y_pred"] = (rng.random(n) < np.array(selection)[sex]).astype(int)
    return classified(table, classes, positive)


def classified(table, classes=("no", "yes"), positive="yes", attributes=("sex", "age")):
    for k, name in enumerate(classes):
        table[f"score_{name}"] = (table["y_pred"] == k).astype(float)
    return Predictions(
        table, "fnn", names.CLASSIFICATION, names.TABULAR, "people", classes, positive, attributes
    )


def numbers(n=300, seed=0, bias=(0.0, 0.0), spread=(1.0, 1.0)):
    """Regression whose residuals have a mean and a deviation by sex."""
    rng = np.random.default_rng(seed)
    sex = rng.integers(2, size=n)
    table = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(n)],
            "split": names.TEST,
            "y_true": rng.normal(size=n),
            "sex": np.array(["female", "male"])[sex],
        }
    )
    residual = np.array(bias)[sex] + np.array(spread)[sex] * rng.normal(size=n)
    table["y_pred"] = table["y_true"] + residual
    return Predictions(table, "fnn", names.REGRESSION, names.TABULAR, "people", (), None, ("sex",))


def documents(rates, blocks=4, seed=0):
    """Text of two parts: bits per character of every document, 100 characters a block."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "document_id": f"{part}{i}",
            "nll": bits * 100 * np.log(2) * rng.gamma(100, 0.01),
            "part": part,
        }
        for part, values in rates.items()
        for i, bits in enumerate(values)
        for _ in range(blocks)
    ]
    table = pd.DataFrame(rows).assign(characters=100, split=names.TEST)
    table["sample_id"] = [f"s{i}" for i in range(len(table))]
    return Predictions(table, "rnn", names.LANGUAGE, names.TEXT, "docs", (), None, ("part",))


def images(n=400, real=400, thin=(0.5, 0.5), features=6, shift=0.0, seed=0):
    """Generated and real images: share of thin ones, and features off by ``shift`` if thin."""
    rng = np.random.default_rng(seed)
    made = np.arange(n + real) < n
    share = np.where(made, thin[0], thin[1])
    is_thin = rng.random(n + real) < share
    table = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(n + real)],
            "split": np.where(made, names.TEST, names.REFERENCE),
            "y_true": rng.integers(2, size=n + real),
            "thickness": np.where(is_thin, "thin", "thick"),
        }
    )
    table["y_pred"] = table["y_true"]
    for k in range(2):
        table[f"score_{k}"] = (table["y_pred"] == k).astype(float)
    x = rng.normal(size=(n + real, features)) + shift * (made & is_thin)[:, None]
    for i in range(features):
        table[f"feature_{i}"] = x[:, i]
    return Predictions(
        table, "gan", names.GENERATOR, names.IMAGES, "digits", ("0", "1"), None, ("thickness",)
    )
