"""Checks of a log's statistics before a model is trained on it."""
