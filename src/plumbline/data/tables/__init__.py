"""Tabular data sets: files and packages in, prepared tables out."""
