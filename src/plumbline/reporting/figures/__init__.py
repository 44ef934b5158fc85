"""Figures of audits, cards and the report, as SVG."""
