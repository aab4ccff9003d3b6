"""TFX pipeline from raw log to pushed model, its runners, and the command line."""
