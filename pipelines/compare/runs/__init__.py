"""Runs of a comparison: each in its own process, kept once it is complete."""
