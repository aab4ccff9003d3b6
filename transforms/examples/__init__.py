"""Serialized tf.Examples: encoders and sharded files."""
