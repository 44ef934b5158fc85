"""One module per kind of fit."""
