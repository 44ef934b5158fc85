"""Data of the laboratory: small sets of installed packages, and digits in one dimension."""
