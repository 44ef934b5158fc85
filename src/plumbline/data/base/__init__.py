"""What all data sets share: prepared folders, splits, folds, raw files, injected bias."""
