"""Cross-validation of the classical models: folds as stages, one summary of them.

`parts` divides the rows, `scoring` fits and scores one fold, `summary` puts the folds together.
"""
