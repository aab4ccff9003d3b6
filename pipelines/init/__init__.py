"""Settings for a log that has none: decisions about its columns, and the YAML file that states them."""
