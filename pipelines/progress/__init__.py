"""Progress of long steps: what is done is written to small files, from which bars on a terminal are drawn."""
