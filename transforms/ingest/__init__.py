"""Ingestion of raw logs: files to tf.Examples by split, with counts of all rows and of tokens."""
