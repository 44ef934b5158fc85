"""Data sets: sources, splits, attributes; files in, prepared folders out."""
