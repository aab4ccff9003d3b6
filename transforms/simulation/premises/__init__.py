"""Premises: properties of a simulated log on which the advantage of a model depends, each with a strength."""
