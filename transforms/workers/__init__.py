"""Work of Beam's workers on the ranges of files."""
