"""A simulated week of daily runs with a server: a demonstration of growing vocabularies, data checks and gates."""
