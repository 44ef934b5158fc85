"""scikit-learn and fairlearn: the estimators of baselines, audits and mitigation."""

from __future__ import annotations

from typing import Any

import numpy as np
from fairlearn.reductions import EqualizedOdds, ExponentiatedGradient
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.isotonic import IsotonicRegression
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from plumbline.classical import tabular

from . import Quantities

SVM = tabular.SvmSize(max_rows=200, landmarks=30, approximate_rows=400)


def quantities() -> Quantities:
    random = np.random.default_rng(5)
    x = random.standard_normal((331, 9))
    z = x[:, 0] + 0.5 * x[:, 1] ** 2 + 0.3 * random.standard_normal(331)
    y = (z > 0.3).astype(int)
    yield from baselines(x, y, z)
    yield from others(x, y, z)
    words = [" ".join(f"word{code}" for code in random.integers(0, 60, 30)) for _ in range(60)]
    for kind in (HashingVectorizer(n_features=128), TfidfVectorizer()):
        yield f"sklearn.{type(kind).__name__}", kind.fit_transform(words).toarray()


def baselines(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Quantities:
    for rows in (150, 240):  # below and above SVM.max_rows
        for kind, target in (("class", y), ("number", z)):
            for name in tabular.GRIDS:
                model = fitted(name, x, target, rows, regression=kind == "number")
                yield f"baseline.{name} {kind} {rows}", (model.scores(x), model.value)


def fitted(name: str, x: np.ndarray, y: np.ndarray, rows: int, *, regression: bool) -> Any:
    found = tabular.fit_models(
        [name], train=(x[:rows], y[:rows]), val=(x[rows:], y[rows:]), regression=regression, seed=3,
        svm=SVM,
    )  # fmt: skip
    return found[0]


def others(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Quantities:
    scaled = StandardScaler().fit_transform(x)
    yield "sklearn.StandardScaler", scaled
    yield (
        "sklearn.QuantileTransformer",
        QuantileTransformer(n_quantiles=50, random_state=0).fit_transform(x),
    )
    for solver in ("full", "covariance_eigh", "randomized"):
        found = PCA(4, svd_solver=solver, random_state=0).fit(x)
        yield f"sklearn.PCA {solver}", (found.components_, found.explained_variance_)
    yield "sklearn.TruncatedSVD", TruncatedSVD(4, random_state=0).fit_transform(x)
    yield "sklearn.KMeans", KMeans(5, n_init=2, random_state=0).fit(x).cluster_centers_
    yield "sklearn.Nystroem", Nystroem(n_components=20, random_state=0).fit_transform(x)
    forest = RandomForestClassifier(20, random_state=0)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    yield "sklearn.RandomForest", forest.fit(x, y).predict_proba(x)
    yield "sklearn.cross_val_predict", cross_val_predict(forest, x, y, cv=folds)
    for algorithm in ("brute", "kd_tree"):
        neighbours = NearestNeighbors(n_neighbors=5, algorithm=algorithm).fit(x)
        yield f"sklearn.NearestNeighbors {algorithm}", tuple(neighbours.kneighbors(x))
    yield "sklearn.IsotonicRegression", IsotonicRegression().fit_transform(x[:, 0], z)
    for solver in ("cholesky", "svd", "lsqr"):
        yield f"sklearn.Ridge {solver}", Ridge(solver=solver).fit(x, z).coef_
    for solver in ("lbfgs", "newton-cholesky", "saga"):
        model = LogisticRegression(solver=solver, max_iter=300, tol=1e-3, random_state=0)
        yield f"sklearn.LogisticRegression {solver}", model.fit(scaled, y).coef_
    yield "sklearn.roc_auc_score", roc_auc_score(y, x[:, 0])
    reduction = ExponentiatedGradient(LogisticRegression(), EqualizedOdds(), max_iter=5)
    reduction.fit(x, y, sensitive_features=(x[:, 2] > 0).astype(int))
    yield "fairlearn.ExponentiatedGradient", reduction._pmf_predict(x)
