"""Serialized tf.Examples: encoding and sharded files."""
