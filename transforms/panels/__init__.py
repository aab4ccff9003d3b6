"""Panels of daily rows: windows for training and evaluation, and a simulator."""
