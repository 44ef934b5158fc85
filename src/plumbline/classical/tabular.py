"""Classical models on the features and splits of the networks: the references of a network.

Every model is fitted on the training split for each point of a small fixed grid; the point with
the best validation value is kept, and so is, among the models, the one with the best validation
value. That value is optimistic, most of all with few validation rows; the test split is not used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.classical.rows import Progress, calibration_folds, drawn_rows

Floats = npt.NDArray[np.float64]

GRIDS: dict[str, dict[str, tuple[float, ...]]] = {
    "logistic_regression": {"C": (0.01, 0.1, 1.0, 10.0)},
    "decision_tree": {"max_depth": (2, 3, 4, 6), "min_samples_leaf": (5, 15)},
    "svm": {"C": (0.1, 1.0, 10.0)},
    "gradient_boosting": {"learning_rate": (0.03, 0.1), "max_leaf_nodes": (4, 12)},
}
REGRESSION_NAMES = {"logistic_regression": "ridge_regression"}  # the name of the model of a number


@dataclass(frozen=True)
class SvmSize:
    """Number of rows up to which a kernel machine is exact, and its approximation above.

    The cost of an exact machine grows with the square to the cube of its rows. Above ``max_rows``
    its kernel is approximated from ``landmarks`` training rows (C. Williams, M. Seeger, "Using the
    Nyström method to speed up kernel machines", NIPS 2000) and a linear machine is fitted to at
    most ``approximate_rows`` of them, at a cost that grows with these rows.
    """

    max_rows: int
    landmarks: int
    approximate_rows: int


@dataclass(frozen=True)
class FittedModel:
    """One classical model at its best grid point.

    Attributes
    ----------
    name : str
    estimator : object
        The fitted scikit-learn estimator.
    settings : dict
        The grid point; of a support vector machine with an approximated kernel also its
        ``landmarks``.
    value : float
        Validation AUROC (macro-averaged one-versus-rest for several classes), or R² of a number.
    rows : int
        Training rows that it was fitted to.
    """

    name: str
    estimator: Any
    settings: dict[str, float] = field(default_factory=dict)
    value: float = float("nan")
    rows: int = 0

    def scores(self, features: Floats) -> Floats:
        """Return class probabilities ``(N, K)``, or the predicted number ``(N, 1)``."""
        if hasattr(self.estimator, "predict_proba"):
            return np.asarray(self.estimator.predict_proba(features), dtype=np.float64)
        return np.asarray(self.estimator.predict(features), dtype=np.float64)[:, None]


def fit_models(
    wanted: Sequence[str],
    *,
    train: tuple[Floats, npt.NDArray[Any]],
    val: tuple[Floats, npt.NDArray[Any]],
    regression: bool,
    seed: int,
    svm: SvmSize,
    max_rows: int | None = None,
    weights: tuple[Floats | None, Floats | None] | None = None,
) -> list[FittedModel]:
    """Fit each model at the grid point that is best on the validation split, in the given order.

    Parameters
    ----------
    wanted : sequence of str
        Keys of `GRIDS`.
    train, val : pairs of arrays
        Features ``(N, F)`` and targets ``(N,)``: class codes 0…K-1, or numbers.
    regression : bool
        Predict numbers.
    seed : int
        Of the models that draw random numbers, and of the rows that are drawn.
    svm : SvmSize
    max_rows : int, optional
        Of more training rows so many are drawn (`plumbline.classical.rows.drawn_rows`) for each
        model.
    weights : pair of arrays, optional
        How much each training row counts, by its own weight and that of its class, and how many
        rows each validation row stands for. They weigh losses and the validation value, not the
        standardisation of features; fits see them with a mean of 1, so that the grid's penalties
        keep their meaning.

    Raises
    ------
    ParamsError
        If a support vector machine is wanted and a class has a single training row.
    """
    found = []
    train_weights, val_weights = weights or (None, None)
    for name in wanted:
        limit = len(train[0]) if max_rows is None else min(max_rows, len(train[0]))
        approximate = name == "svm" and limit > svm.max_rows
        limit = min(limit, svm.approximate_rows) if approximate else limit
        chosen = drawn_rows(train[1], limit, regression=regression, seed=seed)
        part, own = train, train_weights
        if len(chosen) < len(train[0]):
            part = (train[0][chosen], train[1][chosen])
            own = None if own is None else own[chosen]
        extra = {"landmarks": svm.landmarks} if approximate else {}
        folds = calibration_folds(part[1]) if name == "svm" and not regression else None
        shown = REGRESSION_NAMES.get(name, name) if regression else name
        progress = Progress(shown, fitted=len(chosen), of=len(train[0]))
        best: FittedModel | None = None
        points = [{**point, **extra} for point in _points(GRIDS[name])]
        for done, settings in enumerate(points, start=1):
            estimator = _fit(
                _build(name, settings, folds, regression=regression, seed=seed),
                part,
                None if own is None else own / own.mean(),
            )
            fitted = FittedModel(shown, estimator, settings)
            value = validation_value(
                fitted.scores(val[0]), val[1], regression=regression, weights=val_weights
            )
            if best is None or value > best.value:
                best = FittedModel(shown, estimator, settings, value, len(chosen))
            progress.point(done, len(points))
        assert best is not None  # no grid is empty
        progress.end(best, quantity(regression=regression))
        found.append(best)
    return found


def choose_best(models: Sequence[FittedModel]) -> FittedModel:
    """Return the model with the best validation value; the first one of equals."""
    return max(models, key=lambda model: model.value)


def validation_value(
    scores: Floats, y: npt.NDArray[Any], *, regression: bool, weights: Floats | None = None
) -> float:
    """Return AUROC, macro-averaged one-versus-rest for several classes, or R² of numbers."""
    from sklearn.metrics import r2_score, roc_auc_score

    if regression:
        return float(r2_score(y, scores[:, 0], sample_weight=weights))
    if scores.shape[1] == 2:
        return float(roc_auc_score(y, scores[:, 1], sample_weight=weights))
    every = {"multi_class": "ovr", "labels": range(scores.shape[1])}
    return float(roc_auc_score(y, scores, **every, sample_weight=weights))


def quantity(*, regression: bool) -> str:
    """Return the name of what `validation_value` measures."""
    return names.R2 if regression else names.AUROC


def linear_parameters(model: FittedModel) -> int:
    """Return the number of coefficients and intercepts of a linear model, 0 of another one."""
    if model.name not in ("logistic_regression", *REGRESSION_NAMES.values()):
        return 0
    last = model.estimator[-1]
    return int(np.size(last.coef_) + np.size(last.intercept_))


def _points(grid: Mapping[str, Sequence[float]]) -> Iterator[dict[str, float]]:
    for values in product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def _fit(estimator: Any, train: tuple[Floats, npt.NDArray[Any]], weights: Floats | None) -> Any:
    if weights is None:
        return estimator.fit(*train)
    from sklearn import config_context

    # Without routing, pipelines keep weights from their last step, and calibration warns of it.
    with config_context(enable_metadata_routing=True):
        fitted = _routed(estimator).fit(*train, sample_weight=weights)
    _forget_routing(fitted)
    return fitted


def _routed(estimator: Any) -> Any:
    """Let every scaler inside an estimator refuse weights, and everything else ask for them."""
    from sklearn.preprocessing import StandardScaler

    for part in [estimator, *estimator.get_params().values()]:
        if hasattr(part, "fit") and hasattr(part, "set_fit_request"):
            part.set_fit_request(sample_weight=not isinstance(part, StandardScaler))
    return estimator


def _forget_routing(part: Any) -> None:
    """Delete the requests for weights: they refer to their estimator, and a file holds no cycle."""
    if isinstance(part, (list, tuple)):
        for item in part:
            _forget_routing(item)
    elif type(part).__module__.startswith("sklearn.") and hasattr(part, "__dict__"):
        vars(part).pop("_metadata_request", None)
        _forget_routing(list(vars(part).values()))


def _build(
    name: str, settings: Mapping[str, float], folds: int | None, *, regression: bool, seed: int
) -> Any:
    from sklearn import ensemble, linear_model, tree
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if name == "logistic_regression":
        if regression:
            linear = linear_model.Ridge(alpha=1 / settings["C"])
        else:
            linear = linear_model.LogisticRegression(**settings, max_iter=2000)
        return make_pipeline(StandardScaler(), linear)
    if name == "decision_tree":
        kind = tree.DecisionTreeRegressor if regression else tree.DecisionTreeClassifier
        return kind(**settings, random_state=seed)
    if name == "svm":
        return _support_vectors(settings, folds, regression=regression, seed=seed)
    boosting = (
        ensemble.HistGradientBoostingRegressor
        if regression
        else ensemble.HistGradientBoostingClassifier
    )
    return boosting(**settings, max_iter=100, early_stopping=False, random_state=seed)


def _support_vectors(
    settings: Mapping[str, float], folds: int | None, *, regression: bool, seed: int
) -> Any:
    """Return a machine with a Gaussian kernel of width 1/F on standardised features.

    With landmarks the margin errors are squared: the linear solver's primal form is fast and draws
    no random numbers.
    """
    from sklearn import svm
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.kernel_approximation import Nystroem
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    steps, cost = [StandardScaler()], settings["C"]
    if "landmarks" in settings:
        steps.append(Nystroem(n_components=int(settings["landmarks"]), random_state=seed))
        if regression:
            last = svm.LinearSVR(
                C=cost, epsilon=0.1, loss="squared_epsilon_insensitive", dual=False
            )
        else:
            last = svm.LinearSVC(C=cost, dual=False)
    else:
        last = svm.SVR(C=cost) if regression else svm.SVC(C=cost, random_state=seed)
    machine = make_pipeline(*steps, last)
    if regression:
        # The target's own scale: epsilon and C are in units of the target.
        return TransformedTargetRegressor(machine, transformer=StandardScaler())
    # Platt's sigmoid, fitted to margins of rows that the machine has not seen.
    return CalibratedClassifierCV(machine, ensemble=False, cv=folds)
