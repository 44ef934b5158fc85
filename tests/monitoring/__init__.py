"""Tests of plumbline.monitoring."""
