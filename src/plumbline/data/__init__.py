"""Files in, prepared data sets and batches out: sources, splits, attributes."""
