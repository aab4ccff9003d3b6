"""History of the runs in a folder, from ML Metadata: records, comparison, retention, relocation; without TensorFlow."""
