"""Mitigation before training: weights, resampling, rebalanced images."""
