"""Names of stages, models, splits, metrics, tags and files: spelled here and nowhere else."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

# Splits of every prepared data set.
TRAIN, VAL, TEST = "train", "val", "test"
SPLITS = (TRAIN, VAL, TEST)
REFERENCE = "reference"  # in a generator's predictions: the real images beside the generated ones

# Columns that a prepared table and its predictions may have, never features: what a row belongs to
# (rows of one entity do not vary independently), and how many rows it stands for.
ENTITY, WEIGHT = "entity", "sample_weight"
# Column of prepared documents and of their blocks in predictions: the share of the document's runs
# of five words that stand in (other) training documents.
CONTAINMENT = "containment"
# Column of a network's blocks: nats under the mixture of the network with its n-gram baseline.
MIXTURE_NLL = "nll_mixture"

# Prepared data sets of the default pipeline.
TABULAR, TEXT, IMAGES, GLYPHS = "tabular", "text", "images", "glyphs"

# Ways of narrowing a gap between groups, tried on the tabular data: on a logistic regression all of
# them, on the network all but the one that fits dozens of models.
MITIGATIONS = (
    "none",
    "reweighing",
    "resampling",
    "constraint",
    "regulariser",
    "group_dro",
    "adversarial",
    "group_thresholds",
    "equalised_odds",
    "group_calibration",
    "reject_option",
)
FNN_MITIGATIONS = tuple(method for method in MITIGATIONS if method != "constraint")
LOGISTIC_REGRESSION, FNN = "logistic_regression", "fnn"
MITIGATED_MODELS = {LOGISTIC_REGRESSION: MITIGATIONS, FNN: FNN_MITIGATIONS}

# Kinds of predictions tables (see artifacts/predictions.py).
CLASSIFICATION, REGRESSION, LANGUAGE, GENERATOR = (
    "classification",
    "regression",
    "language",
    "generator",
)
KINDS = (CLASSIFICATION, REGRESSION, LANGUAGE, GENERATOR)

# Quantities. One name per quantity, the same over all models; a split stands before it (`metric`).
LOSS = "loss"
ACCURACY = "accuracy"
BALANCED_ACCURACY = "balanced_accuracy"
F1_MACRO = "f1_macro"
F1 = "f1"  # of the positive class alone
AUROC = "auroc"
BRIER = "brier"
ECE = "expected_calibration_error"
LOG_LOSS = "log_loss"
RMSE = "root_mean_squared_error"
MAE = "mean_absolute_error"
R2 = "r_squared"
BITS_PER_CHARACTER = "bits_per_character"
BITS_UNCONTAINED = "bits_per_character_uncontained"  # of documents that hold little training text
PERPLEXITY = "perplexity"
LEARNING_RATE = "learning_rate"
CLASS_AGREEMENT = "class_agreement"  # share of samples recognised as the requested class

# Decisions of a classifier: the most probable class, or a threshold for one of these metrics.
ARGMAX = "argmax"
THRESHOLD_METRICS = (ACCURACY, BALANCED_ACCURACY, F1, F1_MACRO)

# Quantities that exist only with a named feature extractor (`generative`).
FID, FID_INFINITY, KID, INCEPTION_SCORE = "fid", "fid_infinity", "kid", "inception_score"
GEN_PRECISION, GEN_RECALL = "generative_precision", "generative_recall"
DENSITY, COVERAGE = "density", "coverage"
REPETITION = "repetition"  # share of samples that nearly repeat another one
CLASSES_MISSING = "classes_missing"  # classes whose share is below a tenth of the real one
EXTRACTOR = "cnn"  # the model of that name, of the same images; another extractor is another metric

# Quantities of which less is better; of the others more is.
LESS_IS_BETTER = frozenset(
    {
        LOSS, BRIER, ECE, LOG_LOSS, RMSE, MAE, BITS_PER_CHARACTER, BITS_UNCONTAINED,
        PERPLEXITY, FID, FID_INFINITY, KID, REPETITION, CLASSES_MISSING,
    }
)  # fmt: skip

# Group metrics of the audit.
SELECTION_RATE = "selection_rate"
TPR = "true_positive_rate"
FPR = "false_positive_rate"
TNR = "true_negative_rate"
FNR = "false_negative_rate"
PPV = "positive_predictive_value"
NPV = "negative_predictive_value"
GROUP_RATES = (SELECTION_RATE, TPR, FPR, TNR, FNR, PPV, NPV, ACCURACY)
CONSISTENCY = "consistency"  # of the decisions on nearest neighbours
CALIBRATION_IN_THE_LARGE = "calibration_in_the_large"  # mean score - share of positives
MEAN_RESIDUAL = "mean_residual"  # predicted - true
MEAN_PREDICTION = "mean_prediction"  # of a regression
SHARE, REFERENCE_SHARE = "share", "reference_share"  # of generated and of real images in a group
REPRESENTATION_GAP = "representation_gap"  # share - reference share
# What the audit of a model compares between groups.
COMPARED = (
    *GROUP_RATES,
    AUROC,
    CALIBRATION_IN_THE_LARGE,
    MEAN_PREDICTION,
    MEAN_RESIDUAL,
    MAE,
    RMSE,
    BITS_PER_CHARACTER,
    CLASS_AGREEMENT,
    REPRESENTATION_GAP,
)
# Quantities of a data audit: about the samples themselves, before any model.
LABEL_RATE = "label_rate"  # with the class behind it: label_rate/high
MISSING_RATE = "missing_rate"  # with the feature behind it
LABEL_DISAGREEMENT = "label_disagreement"  # share of labels that the nearest neighbours contradict
SHARE_DRIFT = "share_drift"  # share in the training split - share in the held-out splits
SEEN_CLASS = "seen_class"  # the generator's audit also groups by the class the extractor sees
OVERALL, EVERYONE = "overall", "all"  # the attribute and group of the rows that hold everyone
UNKNOWN = "unknown"  # the group of rows that lack a value of the attribute
INTERSECTION = "×"  # between the attributes, and the values, of an intersection
EVERY = "*"  # in a rule of the policy: every attribute that is no intersection

# Verdicts of the audit. What is not shown to differ is not called equal: equivalent needs an
# interval inside a margin.
DIFFERENCE, EQUIVALENT = "difference", "equivalent"
INCONCLUSIVE, INSUFFICIENT = "inconclusive", "insufficient"
VERDICTS = (DIFFERENCE, EQUIVALENT, INCONCLUSIVE, INSUFFICIENT)
# Verdicts of a search for duplicates, beside the last one: nothing is estimated there.
LEAKAGE, NONE_FOUND = "leakage", "none found"
# Verdicts of a comparison of two models, beside the last two.
BETTER, WORSE = "better", "worse"

# Columns of every prepared table, which no feature is named like.
PREPARED_COLUMNS = ("sample_id", "split", "y", ENTITY, WEIGHT)
# Measures of the pixels of an image, by which it can be grouped.
IMAGE_MEASURES = ("thickness", "slant", "brightness")
# Names that no attribute may have: other columns of prepared data and of predictions, of whatever
# kind, and what stands for other rows in an audit or for other attributes in a policy.
_TAKEN = frozenset(
    {
        *PREPARED_COLUMNS, "labelled", "text", CONTAINMENT, "y_true", "y_pred", "document_id",
        "characters", "nll", MIXTURE_NLL, OVERALL, SEEN_CLASS, EVERY,
    }
)  # fmt: skip

# Files and folders, relative to the repository root.
RAW = Path("data/raw")  # raw files of fetched sources, one folder each
EXPERIMENTS = "/.dvc/tmp/exps/"  # below the main work tree; see `main_tree`
PREPARED = Path("data/prepared")
MODEL_DIR = Path("data/models")
PREDICTIONS = Path("data/predictions")
SAMPLES = Path("data/samples")  # a folder for each generative model
TEXT_SAMPLES, IMAGE_SAMPLES = "texts.json", "images.npz"
METRICS_DIR = Path("reports/metrics")
HISTORY_DIR = Path("reports/history")
AUDITS = Path("reports/audits")
COMPARISONS = Path("reports/comparisons")  # paired differences of models, one file per data set
DATA_AUDITS = Path("reports/data_audits")
DATASHEETS = Path("reports/datasheets")
CARDS = Path("reports/cards")
FIGURES = Path("reports/figures")
STANDARDS = Path("reports/standards")
DILEMMA = Path("reports/dilemma.json")
MITIGATION = Path("reports/mitigation")
BALANCE = MITIGATION / "balance.json"
INDIVIDUAL = Path("reports/individual")
MITIGATED = Path("data/mitigated")
FOLDS = Path("reports/folds")
CROSS_VALIDATION = Path("reports/cross_validation.json")
SITE = Path("reports/index.html")
GATE_REPORT = Path("reports/gate.json")


def main_tree(root: Path) -> Path:
    """Return the main work tree, also for the temporary one of an experiment.

    ``dvc exp run --temp`` and queued experiments run in ``<root>/.dvc/tmp/exps/…``, which is
    deleted afterwards.
    """
    return Path(f"{root.resolve().as_posix()}/".split(EXPERIMENTS)[0])


def metric(split: str, quantity: str) -> str:
    """Return the logged name of a quantity on a split, e.g. ``val/accuracy``."""
    if split not in SPLITS:
        raise ValueError(f"names.metric: split must be one of {SPLITS}, got {split!r}")
    return f"{split}/{quantity}"


def is_taken(name: str, classes: Collection[str] = ()) -> bool:
    """Return whether a name means something else than an attribute in data, models or audits.

    Parameters
    ----------
    name : str
    classes : collection of str
        Of the data: predictions have a column ``score_<class>`` for each.
    """
    scores = {f"score_{each}" for each in classes}
    return name in _TAKEN or name in scores or INTERSECTION in name


def more_is_better(quantity: str) -> bool:
    """Return whether more of a quantity, e.g. ``fid/cnn``, is better."""
    return quantity.partition("/")[0] not in LESS_IS_BETTER


def mixture(model: str) -> str:
    """Return the name of the mixture of a language model with its n-gram baseline."""
    return f"{model}_mixture"


def generative(quantity: str, extractor: str = EXTRACTOR) -> str:
    """Return the name of a generative metric with its extractor, e.g. ``fid/cnn``."""
    return f"{quantity}/{extractor}"
