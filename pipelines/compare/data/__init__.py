"""The data of a comparison, prepared once for all models."""
