"""Lineage between ``dvc.lock``, the runs of a store and the run records."""
