"""Batches of raw rows, parsing of their columns, and reports of rejected rows."""
