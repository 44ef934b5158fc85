"""Deep networks: their gradients, the theory of them, and the memory of their passes."""
