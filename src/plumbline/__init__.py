"""A deep-learning pipeline that can be held to account."""
