"""The ad-log simulator."""
