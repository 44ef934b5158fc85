"""Confidence intervals of proportions and shares, and the power to find a difference."""
