"""Arithmetic on image stacks that several packages share: measures of style, resampling."""
