"""Download, verify and unpack the raw files of a source."""
