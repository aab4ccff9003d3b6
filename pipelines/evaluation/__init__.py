"""What is measured on the test split: TFMA's configuration, metrics of counts, results, references."""
