"""Commands that use, compare and register trained models."""
