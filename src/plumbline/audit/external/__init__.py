"""Audits of decisions, predicted numbers and documents that come as files, read by DuckDB."""
