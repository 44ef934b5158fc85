"""Mitigation of group gaps by preprocessing, in-processing and postprocessing, and its cost."""
