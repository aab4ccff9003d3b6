"""Modules that the Trainer runs: input pipeline, training, warm start, export."""
