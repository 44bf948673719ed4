"""Measurements side by side in one run; every figure is a ratio against a named alternative, or a count."""
