"""Verdicts on gaps: what has enough cases, what follows from an interval, and why."""
