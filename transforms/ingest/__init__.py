"""Ingestion: from files to tf.Examples by split."""
