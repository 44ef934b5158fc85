"""Studies: what they consist of, verdicts on their claims, and their pages."""
