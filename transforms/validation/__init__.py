"""Validation of rows against the dataset's spec."""
