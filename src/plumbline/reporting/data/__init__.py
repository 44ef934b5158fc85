"""Data audit pages, datasheets and Croissant files."""
