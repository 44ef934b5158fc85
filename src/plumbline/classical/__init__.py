"""Classical models on the splits of the networks: scikit-learn models and the n-gram baseline."""
