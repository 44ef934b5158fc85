"""Reproduce in a clean clone, tolerances, first divergence, lineage."""

INFRASTRUCTURE = True
