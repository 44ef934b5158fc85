"""The chapter's network in NumPy alone: every product and every derivative written out."""
