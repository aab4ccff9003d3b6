"""Components of the TFX pipeline, and the module that Transform loads."""
