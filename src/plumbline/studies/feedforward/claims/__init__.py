"""Claims, figures and tables of the studies: what is made from their rows."""
