"""From prepared data and parameters to a fitted network: the Trainer factory and its callbacks."""
