"""Settings of a comparison: models, options, search spaces."""
