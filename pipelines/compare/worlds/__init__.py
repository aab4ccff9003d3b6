"""Comparisons on simulated logs at several strengths of a premise: where the idea of a model matters."""
