"""A feed-forward network by hand: activations, heads, forward and backward pass."""
