"""Figures, cards and the report page, made from files alone."""
