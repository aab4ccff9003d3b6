"""Rows of a file for a served model: reading, validation, and output with their scores. Imports no TensorFlow."""
