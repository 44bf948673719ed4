"""Detectors, over evidence that a test makes up."""
