"""Progress of long steps: states in small files, from which bars on a terminal are drawn."""
