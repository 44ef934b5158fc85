"""The audit of a prepared data set, before any model: who is in it, how labelled, what leaks."""
