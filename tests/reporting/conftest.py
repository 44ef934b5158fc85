"""A small repository of real computations: scikit-learn models on its own data, no network."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from plumbline import artifacts, catalog, names
from plumbline.artifacts import ModelConfig, Predictions
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.document import audit_to_markdown
from plumbline.audit.individual.document import individual_to_markdown
from plumbline.audit.options import AuditOptions
from plumbline.metrics.comparison.differences import predictions_to_comparison
from plumbline.metrics.estimates import MetricOptions
from plumbline.metrics.summary import predictions_to_metrics
from plumbline.reporting.site.page import render_site
from tests.audit import tables
from tests.data_audit.made_datasets import audit_of

TITLES = {
    names.TABULAR: ("diabetes", "Diabetes study (442 patients)"),
    names.TEXT: ("sklearn_docs", "Public docstrings of scikit-learn"),
    names.IMAGES: ("digits", "Optical recognition of handwritten digits"),
    names.GLYPHS: ("matplotlib_fonts", "Printed characters"),
}
ATTRIBUTES = {
    names.TABULAR: ("sex", "age_band"),
    names.TEXT: ("subpackage",),
    names.IMAGES: ("thickness", "slant"),
    names.GLYPHS: ("typeface",),
}
FIRST = 4  # characters of a text that no model predicts: more than any order
OPTIONS = {"confidence": 0.95, "replicates": 50, "neighbours": 3, "splits": 3}
AUDIT = {**tables.OPTIONS, "replicates": 50}


def write_schema(root: Path, dataset: str, classes: tuple[str, ...]) -> None:
    source, title = TITLES[dataset]
    about = {
        "title": title,
        "description": f"What {source} is.",
        "licence": "BSD-3-Clause",
        "citation": "An author (2004). A title. A journal",
        "address": "https://scikit-learn.org",
        "attributes": {a: f"How {a} was obtained." for a in ATTRIBUTES[dataset]},
        "not_known": f"Who is in {source}.",
        "split": "by SHA-256 of the sample id",
        "labels_per_class": 10,
    }
    schema = artifacts.DatasetSchema(
        dataset=dataset,
        source=source,
        task="language" if dataset == names.TEXT else "multiclass",
        classes=classes,
        attributes=ATTRIBUTES[dataset],
        about=about,
    )
    artifacts.write_json(root / names.PREPARED / dataset / "schema.json", schema)


def write_model(root: Path, predictions: Predictions, **extra) -> None:
    """Write everything that card and report read about one model."""
    config = ModelConfig(
        model=predictions.model,
        architecture="timm" if "finetune" in predictions.model else predictions.model,
        arguments={"hidden": [64, 32], "dropout": 0.2, "init": "default", "lr": 0.00025},
        kind=predictions.kind,
        dataset=predictions.dataset,
        source=predictions.source,
        classes=predictions.classes,
        inputs=({"name": "x", "dtype": "float32", "shape": [-1, 10]},),
        outputs=({"name": "logits", "dtype": "float32", "shape": [-1, 2]},),
        parameters=2785,
        facts={"best_epoch": 17, "optimisation": {"lr": 0.001, "batch_size": 32}},
    )
    artifacts.write_json(root / names.MODEL_DIR / predictions.model / "config.json", config)
    predictions.write(root / names.PREDICTIONS / f"{predictions.model}.parquet")
    found = predictions_to_metrics(
        predictions,
        MetricOptions(**OPTIONS, seed=0),
        main_metric=catalog.model(predictions.model).main_metric,
        **extra,
    )
    artifacts.write_json(root / names.METRICS_DIR / f"{predictions.model}.json", found)
    found = predictions_to_audit(predictions, AuditOptions(**AUDIT))
    artifacts.write_json(root / names.AUDITS / f"{predictions.model}.json", found)
    artifacts.write_text(root / names.AUDITS / f"{predictions.model}.md", audit_to_markdown(found))


def classified(model: str, ids, scores, y_true, groups: dict, *, dataset, classes, **extra):
    table = pd.DataFrame({"sample_id": ids, "split": names.TEST, "y_true": y_true, **groups})
    table["y_pred"] = scores.argmax(axis=1)
    table[[f"score_{c}" for c in classes]] = scores
    return Predictions(
        table=table,
        model=model,
        kind=extra.pop("kind", names.CLASSIFICATION),
        dataset=dataset,
        source=TITLES[dataset][0],
        classes=classes,
        positive=classes[1] if len(classes) == 2 else None,
        attributes=tuple(groups),
    )


def write_tabular(root: Path) -> None:
    data = datasets.load_diabetes()
    x, y = StandardScaler().fit_transform(data.data), data.target
    train = np.arange(len(y)) % 3 > 0
    y = (y > np.median(y[train])).astype(int)
    groups = {
        "sex": np.where(data.data[~train, 1] > 0, "code 2", "code 1"),
        "age_band": np.select(
            [data.data[~train, 0] < -0.02, data.data[~train, 0] < 0.08],
            ["under 40", "40-54"],
            "55+",
        ),
    }
    models = {name: LogisticRegression() for name in catalog.models_of(names.TABULAR)}
    models["fnn"] = MLPClassifier((8,), max_iter=60, random_state=0, early_stopping=True)
    classes = ("below_median", "above_median")
    write_schema(root, names.TABULAR, classes)
    made = {}
    for name, model in models.items():
        scores = model.fit(x[train], y[train]).predict_proba(x[~train])
        ids = [f"d{i}" for i in range(int((~train).sum()))]
        made[name] = classified(
            name, ids, scores, y[~train], groups, dataset=names.TABULAR, classes=classes
        )
        others = {"logistic_regression": made["baseline"]} if name == "fnn" else {}
        write_model(root, made[name], others=others)
    losses = models["fnn"].loss_curve_
    write_history(root, "fnn", losses, accuracy=models["fnn"].validation_scores_)


def write_history(root: Path, model: str, losses, **validation) -> None:
    head = ["epoch", "step", "train/loss", *(f"val/{name}" for name in validation), "learning_rate"]
    lines = [",".join(head)]
    for epoch, loss in enumerate(losses):
        cells = [series[epoch] if epoch % 2 == 0 else "" for series in validation.values()]
        lines.append(",".join(map(str, [epoch, epoch * 8, f"{loss:.10g}", *cells, 0.001])))
    artifacts.write_text(root / names.HISTORY_DIR / f"{model}.csv", "\n".join(lines) + "\n")


def write_text_models(root: Path) -> None:
    """Character models of rising order with add-one smoothing, on scikit-learn's docstrings."""
    functions = [f for f in vars(datasets).values() if callable(f) and f.__doc__]
    texts = [(f.__name__.partition("_")[0], f.__doc__[:3000]) for f in functions]
    kept = [(g, t) for g, t in texts if g in ("load", "fetch", "make")]
    train, test = kept[::2], kept[1::2]
    write_schema(root, names.TEXT, ())
    for order, model in enumerate(catalog.models_of(names.TEXT), start=1):
        seen: dict[str, dict[str, int]] = {}
        for _, text in train:
            for i in range(order, len(text)):
                counts = seen.setdefault(text[i - order : i], {})
                counts[text[i]] = counts.get(text[i], 0) + 1
        rows = []
        for number, (group, text) in enumerate(test):
            for block in range(FIRST, len(text), 512):
                nll, stop = 0.0, min(block + 512, len(text))
                for i in range(block, stop):
                    counts = seen.get(text[i - order : i], {})
                    nll -= np.log((counts.get(text[i], 0) + 1) / (sum(counts.values()) + 100))
                rows.append(
                    (f"{number}/{block}", names.TEST, f"t{number}", nll, stop - block, group)
                )
        columns = ["sample_id", "split", "document_id", "nll", "characters", "subpackage"]
        predictions = Predictions(
            table=pd.DataFrame(rows, columns=columns),
            model=model,
            kind=names.LANGUAGE,
            dataset=names.TEXT,
            source="sklearn_docs",
            classes=(),
            positive=None,
            attributes=("subpackage",),
        )
        write_model(root, predictions)
    write_history(root, "rnn", np.linspace(3, 2, 6), bits_per_character=np.linspace(4, 3, 6))
    samples = [
        {"temperature": t, "top_k": 20, "prompt": "The ", "text": f"The <b>value</b> of {t}\n  the"}
        for t in (0.5, 0.8, 1.0)
    ]
    artifacts.write_json(root / names.SAMPLES / "rnn" / names.TEXT_SAMPLES, samples)


def write_images(root: Path) -> None:
    digits = datasets.load_digits()
    x, y = digits.data / 16, digits.target
    train = np.arange(len(y)) % 3 > 0
    ink = x.mean(axis=1)
    lean = ((x.reshape(-1, 8, 8) * np.arange(8)).sum((1, 2)) / x.sum(axis=1)) > 3.5
    classes = tuple(str(d) for d in range(10))
    write_schema(root, names.IMAGES, classes)
    write_schema(root, names.GLYPHS, classes)
    labels = {"cnn": 600, "finetune_scratch": 60, "finetune_linear_probe": 100, "backbone": 300}
    for name in (*catalog.models_of(names.IMAGES), *catalog.models_of(names.GLYPHS)):
        if name == "gan":
            continue
        chosen = np.flatnonzero(train)[: labels.get(name, 200)]
        model = LogisticRegression(max_iter=200).fit(x[chosen], y[chosen])
        dataset = catalog.model(name).dataset
        groups = {
            ATTRIBUTES[dataset][0]: np.where(ink[~train] > np.median(ink), "thick", "thin"),
        }
        if dataset == names.IMAGES:
            groups["slant"] = np.where(lean[~train], "right", "left")
        ids = [f"i{i}" for i in np.flatnonzero(~train)]
        table = classified(
            name, ids, model.predict_proba(x[~train]), y[~train], groups, dataset=dataset,
            classes=classes,
        )  # fmt: skip
        write_model(root, table)
        write_history(root, name, np.exp(-np.arange(8) / 3), accuracy=1 - np.exp(-np.arange(8) / 2))
        if name == "cnn":
            judge = model
    write_prepared_images(root, digits.images, y, train)
    write_generator(root, x[~train], y[~train], judge)


def write_prepared_images(root: Path, images, y, train) -> None:
    pixels = np.repeat(np.repeat(images, 2, axis=1), 2, axis=2) * (255 / 16)
    folder = root / names.PREPARED / names.IMAGES
    np.save(folder / "images_16.npy", np.rint(pixels).astype(np.uint8)[:, None])
    split = np.where(train, names.TRAIN, names.TEST).astype(object)
    split[:50] = names.VAL
    ids = [f"i{i}" for i in range(len(y))]
    table = pd.DataFrame({"sample_id": ids, "split": split, "y": y.astype(np.int64)})
    artifacts.write_table(folder / "table.parquet", table)


def write_generator(root: Path, x, y, judge) -> None:
    """Draw digits from one Gaussian per class in the plane of the first components."""
    rng, pca = np.random.default_rng(0), PCA(12, random_state=0).fit(x)
    z = pca.transform(x)
    asked = np.arange(400) % 10
    drawn = np.array([rng.normal(z[y == d].mean(0), z[y == d].std(0)) for d in asked])
    fake = np.clip(pca.inverse_transform(drawn), 0, 1)
    both, labels = np.vstack([fake, x]), np.append(asked, y)
    ink = both.mean(axis=1)
    groups = {"thickness": np.where(ink > np.median(ink), "thick", "thin")}
    ids = [f"g{i}" for i in range(len(both))]
    table = classified(
        "gan", ids, judge.predict_proba(both), labels, groups, dataset=names.IMAGES,
        classes=tuple(str(d) for d in range(10)), kind=names.GENERATOR,
    )  # fmt: skip
    table.table["split"] = [names.TEST] * len(fake) + [names.REFERENCE] * len(x)
    for i, column in enumerate(pca.transform(both).T):
        table.table[f"feature_{i}"] = column
    write_model(root, table, extractor_info={"extractor": "cnn", "sha256": "0a1b", "seed": 42})
    pixels = np.kron(fake.reshape(-1, 8, 8), np.ones((1, 2, 2))) * 255
    folder = root / names.SAMPLES / "gan"
    folder.mkdir(parents=True, exist_ok=True)
    drawn = np.rint(pixels).astype(np.uint8)[:, None]
    np.savez(folder / names.IMAGE_SAMPLES, images=drawn, labels=asked)
    head = "epoch,step,train/loss_discriminator,train/loss_generator"
    lines = [f"{b},{b},{1.3 - b / 4000},{0.7 + b / 3000}" for b in range(0, 1000, 50)]
    artifacts.write_text(root / names.HISTORY_DIR / "gan.csv", "\n".join([head, *lines]) + "\n")


def write_comparisons(root: Path) -> None:
    """Compare the models of every data set whose models were measured."""
    for dataset in catalog.datasets():
        paths = [root / names.PREDICTIONS / f"{name}.parquet" for name in catalog.compared(dataset)]
        tables = [Predictions.read(path) for path in paths if path.exists()]
        if tables:
            found = predictions_to_comparison(
                tables,
                MetricOptions(**OPTIONS, seed=0),
                dataset=dataset,
                main_metric=catalog.model(tables[0].model).main_metric,
            )
            artifacts.write_json(root / names.COMPARISONS / f"{dataset}.json", found)


def write_data_audits(root: Path) -> None:
    """The audit and datasheet of a made-up table and of made-up images, under two names."""
    for dataset, kind in ((names.TABULAR, "table"), (names.IMAGES, "images")):
        found = audit_of(kind)
        found |= {"dataset": dataset, "injected_bias": ["a < b thinned out"]}
        artifacts.write_json(root / names.DATA_AUDITS / f"{dataset}.json", found)
        artifacts.write_text(root / names.DATA_AUDITS / f"{dataset}.md", "# Data audit\n")
        for suffix in ("md", "croissant.json"):
            artifacts.write_text(root / names.DATASHEETS / f"{dataset}.{suffix}", "{}\n")


@pytest.fixture(scope="session")
def small_tree(tmp_path_factory) -> Path:
    """A repository with the models of the table only; no test may write to it."""
    folder = tmp_path_factory.mktemp("small")
    write_tabular(folder)
    write_comparisons(folder)
    return folder


@pytest.fixture(scope="session")
def small_page(small_tree) -> str:
    """The report page of `small_tree`."""
    return render_site(small_tree, title="plumbline")


def write_individual(root: Path) -> None:
    """What was seen of single decisions: of the FNN with a flip, of the baseline without."""
    part = {"value": 0.75, "low": 0.625, "high": 0.875, "n": 80}
    row = {"group": "code 1", "to": "code 2", "n": 40, "changed": part, "score": part}
    flipped = {"attribute": "sex", "features": ["sex_code"], "not_applicable": None, "rows": [row]}
    left = {"attribute": "sex", "features": [], "rows": [],
            "not_applicable": "the attribute is not a feature"}  # fmt: skip
    for model, flip in (("fnn", flipped), ("baseline", left)):
        found = {
            "model": model, "dataset": names.TABULAR, "source": "diabetes", "confidence": 0.95,
            "neighbours": 5, "skipped": None, "n": 80, "counterfactual_changes": [flip],
            "consistency": {"decisions": part, "labels": part, "noise": part, "groups": []},
        }  # fmt: skip
        artifacts.write_json(root / names.INDIVIDUAL / f"{model}.json", found)
        page = individual_to_markdown(found)
        artifacts.write_text(root / names.INDIVIDUAL / f"{model}.md", page)


@pytest.fixture(scope="session")
def tree(tmp_path_factory) -> Path:
    """A repository whose every model was measured; no test may write to it."""
    folder = tmp_path_factory.mktemp("tree")
    write_tabular(folder)
    write_text_models(folder)
    write_images(folder)
    write_comparisons(folder)
    write_data_audits(folder)
    write_individual(folder)
    return folder
