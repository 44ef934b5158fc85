"""Networks in torch alone: no Lightning, no files, no parameters file."""
