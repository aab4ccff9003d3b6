"""Components of the TFX pipeline and what they import."""
