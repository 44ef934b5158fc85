"""Mitigation in training: objectives that know the groups."""
