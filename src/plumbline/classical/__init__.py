"""Classical models on the same splits as the networks: scikit-learn's, and counted n-grams."""
