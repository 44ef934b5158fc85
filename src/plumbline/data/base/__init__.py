"""Shared by all data sets: prepared folders, splits, folds, raw files, injected bias."""
