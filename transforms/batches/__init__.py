"""Batches of raw rows, parsing of their cells, and reports of rejected rows."""
