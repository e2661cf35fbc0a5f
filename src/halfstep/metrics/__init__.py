"""Measures of music, one a file."""
