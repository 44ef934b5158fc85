"""Cross-validation of the classical models: folds as stages, one summary of them."""
