"""Postprocessing: decisions that depend on the group."""
