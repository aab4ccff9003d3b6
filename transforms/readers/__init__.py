"""Readers of raw logs: CSV, Parquet, TFRecord and MovieLens."""
