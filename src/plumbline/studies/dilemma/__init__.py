"""Conflicting fairness criteria: the hiring dilemma, and what unequal base rates exclude."""
