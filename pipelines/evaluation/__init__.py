"""Evaluation on the test split: TFMA's configuration, metrics of counts, results, and a reference model."""
