"""How often the audit raises an alarm, without and with a bias: ``python benchmarks/alarms.py``.

Some 12 minutes on two cores; writes ``benchmarks/ALARMS.md``. Everything goes through the
pipeline's own steps: a table is read and split by `tables.prepare`, bias injected into its training
rows by `inject_bias`, a classical model fitted, its test rows predicted and audited.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from plumbline import names, params
from plumbline.artifacts import digest, write_text
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.options import AuditOptions
from plumbline.classical.folders import fit_baseline
from plumbline.data.base.injection import inject_bias
from plumbline.data.tables.prepare import prepare
from plumbline.inference.classical import predict_baseline
from plumbline.params.data import TabularData

ROOT = Path(__file__).parents[1]
SEEDS = 100
INJECTED_SEEDS = 20
LIMITS = {"max_order": 2, "min_group_size": 10, "replicates": 200}


def main() -> None:
    base = params.load(ROOT / "params.yaml")
    alarms = [seed for seed in range(SEEDS) if differences(audit(nothing(seed), base, seed))]
    rows = [injected(name, base) for name in INJECTED]
    found = f"{len(alarms)} of {SEEDS} seeds" + (f" ({alarms})" if alarms else "")
    header = ["injected in the training rows of b", "seen in", "found in, %", "by theory", "mean",
              "standard deviation"]  # fmt: skip
    lines = [header, ["---"] * len(header), *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    path = Path(__file__).with_name("ALARMS.md")
    write_text(path, HEAD.format(found=found) + "\n" + table + "\n")
    print(path.read_text(encoding="utf-8"))


HEAD = f"""# Alarms

Written by `benchmarks/alarms.py`: tables go through prepare, train and audit as in the pipeline.

## No bias injected

The 569 breast masses of scikit-learn with two attributes drawn at random (two and three groups),
which the model may use; logistic regression, an audit of both attributes and their intersection.
In {{found}} any gap was called a difference; no more than 5 of {SEEDS} may.

## Bias injected

{INJECTED_SEEDS} tables of 8,000 rows of two groups, whose law is known; gradient boosting. "Found"
is a verdict of difference with the right sign.
"""


def nothing(seed: int) -> pd.DataFrame:
    from sklearn.datasets import load_breast_cancer

    table = load_breast_cancer(as_frame=True).frame
    rng = np.random.default_rng(seed)
    table["group"] = rng.choice(["a", "b"], len(table))
    table["band"] = rng.choice(["x", "y", "z"], len(table))
    return table.rename(columns={"target": "label"})


def world(seed: int, base: float = 0.5, *, own_rule: bool = False) -> pd.DataFrame:
    """Two features; the label follows the first, in b with ``own_rule`` the second one."""
    rng = np.random.default_rng(seed)
    n = 8000
    first, second = rng.normal(size=(2, n))
    group = rng.choice(["a", "b"], n)
    signal = np.where((group == "b") & own_rule, second, first)
    above = signal > np.quantile(signal, 1 - base)
    label = np.where(rng.random(n) < 0.9, above, ~above).astype(int)
    return pd.DataFrame({"first": first, "second": second, "group": group, "label": label})


# What is injected; the table; metric, sign of b against a, and the size that theory gives.
INJECTED: dict[str, tuple[dict[str, object], Callable[[int], pd.DataFrame], str, float]] = {
    # Alone with its own rule, b is decided right at 0.9; by the rule of a, at one half.
    "representation: 1 % of the rows kept": (
        {"resample": {"group": {"b": 0.01}}},
        lambda seed: world(seed, own_rule=True), names.ACCURACY, -0.4,
    ),
    # Base rate 0.3 is 0.34 with labels that are wrong at 0.1; flips at e move scores by e(1 - 2p).
    "labels: 30 % flipped": (
        {"label_noise": {"group": {"b": 0.3}}},
        lambda seed: world(seed, 0.3), names.CALIBRATION_IN_THE_LARGE, 0.3 * (1 - 2 * 0.34),
    ),
    # Features that say nothing leave the base rate, 0.34: nobody of b is selected. Of the positives
    # of a, 0.27 / 0.34 are.
    "measurement: noise of 20 deviations": (
        {"degrade": {"group": {"b": {"blur": 0.0, "noise": 20.0}}}},
        lambda seed: world(seed, 0.3), names.TPR, -0.27 / 0.34,
    ),
}  # fmt: skip


def injected(name: str, base: params.Params) -> list[str]:
    bias, make, metric, size = INJECTED[name]
    found, values = 0, []
    for seed in range(INJECTED_SEEDS):
        report = audit(make(seed), base, seed, model="gradient_boosting", **bias)
        gap = next(
            g for g in report["gaps"]
            if (g["metric"], g["comparison"], g["attribute"]) == (metric, "difference", "group")
        )  # fmt: skip
        sign = 1 if gap["highest"] == "b" else -1
        values.append(sign * gap["value"])
        found += gap["verdict"] == names.DIFFERENCE and sign == np.sign(size)
    words = metric.replace("_", " ")
    return [name, words, f"{100 * found / INJECTED_SEEDS:.0f}", f"{size:+.3f}",
            f"{np.mean(values):+.3f}", f"{np.std(values, ddof=1):.3f}"]  # fmt: skip


def differences(report: dict[str, object]) -> list[object]:
    return [gap for gap in report["gaps"] if gap["verdict"] == names.DIFFERENCE]


def audit(
    table: pd.DataFrame,
    base: params.Params,
    seed: int,
    *,
    model: str = "logistic_regression",
    **bias: object,
) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        table.to_csv(folder / "table.csv", index=False)
        block = described(base, folder / "table.csv", [c for c in ("group", "band") if c in table])
        block = block | bias
        parameters = TabularData.model_validate(block)
        data = folder / names.TABULAR
        prepare(parameters, root=folder, seed=1).write(data)
        inject_bias(data, parameters, seed=seed)
        chosen = base.baseline.model_copy(update={"tabular": (model,)})
        fitted = fit_baseline(chosen, data=data, context=SimpleNamespace(seed=seed))
        fitted.save(folder / "baseline")
        predictions = predict_baseline(folder / "baseline", data)
    return predictions_to_audit(predictions, AuditOptions(confidence=0.95, seed=seed, **LIMITS))


def described(base: params.Params, path: Path, attributes: list[str]) -> dict[str, object]:
    about = dict.fromkeys(
        ("title", "description", "licence", "citation", "address", "not_known"), "made up"
    )
    return base.data_tabular.model_dump() | {
        "source": "csv",
        "target": "label",
        "attributes_as_features": True,
        "test_fraction": 0.4,
        "csv": {
            "path": path.name, "sha256": digest(path), "encoding": "utf-8", "delimiter": ",",
            "decimal": ".", "thousands": None, "missing_values": [""], "target": "label",
            "positive": "1", "rest": None, "types": {}, "features": "all", "except": [],
            "attributes": {name: [] for name in attributes}, "weight": None, "entity": None,
            "split": None, "time": None, "about": about | {"address": "https://example.org"},
        },
    }  # fmt: skip


if __name__ == "__main__":
    main()
