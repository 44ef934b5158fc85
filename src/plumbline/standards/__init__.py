"""One audit, many standards: the sheets that laws and guidelines ask for, from the same counts."""
