"""Reports of runs and comparisons: one HTML file each, which needs no network."""
