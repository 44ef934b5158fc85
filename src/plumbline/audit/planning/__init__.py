"""How many rows per group would settle the comparisons that an audit left open."""
