"""Benchmarks: speed of the package, compared with a named peer or limit that is measured in the same run."""
