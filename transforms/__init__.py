"""From raw logs to tf.Examples: readers, the check of every row, the split, and the ad-log simulator."""
