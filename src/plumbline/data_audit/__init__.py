"""Audit of a prepared data set before training: representation, labels, leakage, proxies."""
