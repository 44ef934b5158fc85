"""Compliance worksheets of laws and guidelines, all from the same counts."""
