"""Models and data sets: the only place that lists them."""
