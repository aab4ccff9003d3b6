"""Storage: access to files and folders, writes that are complete or absent, and locks."""
