"""Transformation of raw logs into tf.Examples and ids: readers, validation, split, preprocessing and simulators."""
