"""Validation of rows by the spec."""
