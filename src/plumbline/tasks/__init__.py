"""Lightning modules: a network with its loss, optimiser and logging."""
