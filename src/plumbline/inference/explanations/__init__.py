"""Attributions of predictions to features."""
