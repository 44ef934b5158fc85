"""Trained models on raw samples: rows of a table, pictures, texts, and requests for pictures."""

# No stage imports it, and nothing here changes what a stage writes.
INFRASTRUCTURE = True
