"""Simulation of ad logs whose true probabilities are known."""
