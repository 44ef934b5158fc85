"""Counts and rates of groups, computed from contingency tables."""
