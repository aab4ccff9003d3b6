"""Metrics of scores, overall and by scenario, and the statistics of a table."""
