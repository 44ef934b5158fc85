"""From a model folder and prepared data to a predictions table or samples, without Lightning."""
