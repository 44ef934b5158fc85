"""Mitigation after training: decisions that depend on the group."""
