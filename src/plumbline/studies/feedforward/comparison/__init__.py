"""Classical models and networks with one interface, and what explains them."""
