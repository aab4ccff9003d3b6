"""Readers of log files: CSV, Parquet, TFRecord and MovieLens, in batches of raw rows."""
