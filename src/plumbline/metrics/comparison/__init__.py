"""Paired comparison of models that predicted the same test rows."""
