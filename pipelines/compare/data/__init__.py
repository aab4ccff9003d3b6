"""Data of a comparison, prepared once for all models."""
