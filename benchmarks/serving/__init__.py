"""Parts of `benchmarks.serve`: models of a given width, requests, an echo server, and loads."""
