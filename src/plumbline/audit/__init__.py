"""Comparisons of groups: counts → rates → disparities → verdicts → document."""
