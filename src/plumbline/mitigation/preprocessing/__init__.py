"""Preprocessing: weights, resampling, rebalanced images."""
