"""Corrections for installed packages; imported before anything numeric."""

INFRASTRUCTURE = True
