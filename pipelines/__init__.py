"""The TFX pipeline from raw log to pushed model, what runs it, and the command line."""
