"""A deep-learning pipeline whose results are reproducible and audited."""
