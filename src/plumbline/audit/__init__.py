"""Counts → rates → disparities → verdicts, by group and by intersection of groups."""
