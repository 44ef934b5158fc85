"""Run records, DVC files, provenance and checkpoints; no torch, no MLflow."""

INFRASTRUCTURE = True
