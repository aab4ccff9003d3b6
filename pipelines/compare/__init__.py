"""Comparison of models: one table of many models on the same data, split and budget, with several seeds and tests."""
