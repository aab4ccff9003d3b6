"""Metrics of scores, overall and by scenario, and their statistics over seeds."""
