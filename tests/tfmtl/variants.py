"""Names of the models that are variants of others."""

VARIANTS = ("omoe", "cgc", "ple", "cross_stitch", "mran", "escm2_ips", "escm2_dr", "autoheri", "single_task")
"""Models with the training step and the heads of another one, whose networks files of their own test in every run.

Tests of what all models have in common are long tests for them.
"""
