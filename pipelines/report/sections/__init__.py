"""Sections of the report of a run, one module each."""
