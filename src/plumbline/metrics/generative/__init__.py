"""Distances between generated and real samples in a feature space."""
